"""Predictions: runs each model once on the test reviews."""
