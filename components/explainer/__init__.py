"""What the modes' attention looks like over the test split, and whether it is meaningful; `Explainer` runs it."""
