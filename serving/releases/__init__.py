"""Releases: which pushed version of a model is live, and the journal of how it came to be."""
