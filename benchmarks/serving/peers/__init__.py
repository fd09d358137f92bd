"""Measures other model servers beside this one, each with an environment of its own: `make bench-serving`."""
