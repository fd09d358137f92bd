"""The tree of settings: presets, files, assignments, and where each value came from."""
