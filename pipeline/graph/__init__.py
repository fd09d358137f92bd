"""The graphs: settings in, a TFX pipeline out."""
