"""Predictions: writes and reads the models' probabilities for the test reviews."""
