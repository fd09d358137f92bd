"""The page of a run: its outcome, how certain that is, and what it was made from."""
