"""The built-in sample: reviews generated from a grammar."""
