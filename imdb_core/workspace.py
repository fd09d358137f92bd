"""The workspace: the folder in which runs write all their files."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from imdb_core.errors import SettingsError

WORKSPACE_VARIABLE: Final = "IMDB_WORKSPACE"


def workspace_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Returns the absolute path of the workspace: `IMDB_WORKSPACE`, or `./workspace` if it is unset or empty.

    Raises:
        SettingsError: The path has no meaning, because a home folder or the current folder does not exist.
    """
    given = environ.get(WORKSPACE_VARIABLE) or "workspace"
    try:
        return Path(given).expanduser().resolve()
    except (OSError, RuntimeError) as error:
        raise SettingsError(
            f"the workspace {given!r} has no place: {error}; set {WORKSPACE_VARIABLE} to an absolute path"
        ) from None
