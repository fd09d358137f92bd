"""Paths on the command line."""

import os
from typing import Any

import click


class UserPath(click.Path):
    """A path in which `~` is the home folder; shells leave it alone in `--config=~/my.toml`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Expands the path, then converts it as `click.Path` does."""
        return super().convert(os.path.expanduser(value), param, ctx)
