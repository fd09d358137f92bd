"""Runs a pipeline: shows its progress, keeps its log, and records its outcome."""
