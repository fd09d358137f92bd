"""Where the workspace is: the folder under which everything that a run writes goes."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

WORKSPACE_VARIABLE: Final = "IMDB_WORKSPACE"


def workspace_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Returns the absolute folder under which everything that a run writes goes: `IMDB_WORKSPACE` or `./workspace`."""
    return Path(environ.get(WORKSPACE_VARIABLE) or "workspace").expanduser().resolve()
