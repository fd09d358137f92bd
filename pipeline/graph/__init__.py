"""Builds the graphs of TFX pipelines from settings."""
