"""The workspace: the folder in which runs write all their files."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

WORKSPACE_VARIABLE: Final = "IMDB_WORKSPACE"


def workspace_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Returns the absolute path of the workspace: `IMDB_WORKSPACE`, or `./workspace` if it is unset or empty."""
    return Path(environ.get(WORKSPACE_VARIABLE) or "workspace").expanduser().resolve()
