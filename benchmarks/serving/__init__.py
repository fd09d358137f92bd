"""Benchmarks the embedded server against calling the same model in-process: `python -m benchmarks.serving`."""
