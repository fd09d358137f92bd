"""Tuner: searches for settings that score better on the `eval` split."""
