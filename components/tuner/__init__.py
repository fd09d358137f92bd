"""Tuner: searches for better settings on the `eval` split."""
