"""Evaluator: the metrics and thresholds of TFX's two Evaluators."""
