"""Reads what past runs did from ML Metadata: runs, lineage and the Tuner's trials."""
