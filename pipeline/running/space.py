"""The space that a run needs on the disk of its workspace, and what to say when none is left."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from imdb_core.disk import describe_full_disk, require_space, temporary_folder
from pipeline.settings import PipelineConfig

# Measured with the built-in sample: logs, metadata, examples and reports are about 10 MB, and all copies of the two
# models together, with the checkpoint of a training, 16 times the weights of one.
_BASE_BYTES: Final = 20_000_000
_COPIES: Final = 16
_BYTES_PER_WEIGHT: Final = 4
_MEGABYTE: Final = 1_000_000


def bytes_of_first_run(config: PipelineConfig) -> int:
    """Estimates the bytes that the first run in a workspace writes, without those that its reviews need."""
    weights = config.transform.vocabulary_size * config.model.embedding_dim  # the other layers have few
    return _BASE_BYTES + _COPIES * _BYTES_PER_WEIGHT * weights


def require_space_for_first_run(config: PipelineConfig, workspace: Path, logs: Path) -> None:
    """Raises a RunError if a workspace without logs has no room for its first run; later runs may need nothing."""
    if not logs.exists():
        require_space(workspace, bytes_of_first_run(config), "a first run")


def describe_full_run(config: PipelineConfig, workspace: Path, others: Iterable[str | os.PathLike[str]] = ()) -> str:
    """Describes which disk a run has filled: that of the workspace, of the temporary folder, or of `others`."""
    folders = (workspace, temporary_folder(), *others)
    needed = bytes_of_first_run(config) / _MEGABYTE
    return describe_full_disk(
        folders, f"a first run needs about {needed:.0f} MB and five times the size of its reviews"
    )
