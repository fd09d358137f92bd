"""Explainer: what both modes' attention looks like over the test split, and whether it is faithful."""
