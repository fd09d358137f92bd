"""Releases: which pushed version is live, and the record of how that came about."""
