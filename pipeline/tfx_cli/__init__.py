"""How `tfx run create` learns `--pipeline`."""
