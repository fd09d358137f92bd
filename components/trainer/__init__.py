"""Trainer: fits one attention mode and exports it."""
