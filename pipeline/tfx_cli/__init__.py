"""Adds `--pipeline` to `tfx run create`."""
