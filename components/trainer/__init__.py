"""Trainer: fits a network of one attention mode and exports it."""
