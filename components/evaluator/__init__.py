"""Evaluator: what TFX's Evaluators measure, and what a model must reach."""
