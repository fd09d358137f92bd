"""What is on disk: the pushed versions of a model, and what each says of itself."""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from serving.releases.errors import ReleaseError

# Inside a version, where servers look for nothing of this name.
RELEASE_FILE: Final = os.path.join("assets.extra", "release.json")
# Servers read an int64.
_NUMBER: Final = re.compile("[0-9]{1,18}")


class Blessing(BaseModel):
    """What one check before the push said.

    Attributes:
        blessed: its verdict.
        artifact: where its evidence is.
        reason: in words, if it gave any.
    """

    model_config = ConfigDict(frozen=True)

    blessed: bool
    artifact: str
    reason: str | None = None


class Release(BaseModel):
    """`assets.extra/release.json`: what the Pusher knew of a version, so that it needs no ML Metadata to be explained.

    Attributes:
        source: the SavedModel that was pushed.
        sha256: digest of its files; see `digest`.
        pushed_at: Unix second.
        run_id: of the pipeline run that pushed it.
        mode: its attention mode.
        metrics: of that mode on the `test` split, value by name.
        reason: why this mode was chosen.
        blessings: by what was checked: `model` (its quality), `infra` (that it can be served).
    """

    model_config = ConfigDict(frozen=True)

    source: str
    sha256: str
    pushed_at: int
    run_id: str | None = None
    mode: str | None = None
    metrics: Mapping[str, float] = {}
    reason: str | None = None
    blessings: Mapping[str, Blessing] = {}


@dataclass(frozen=True)
class Version:
    """A version on disk.

    Attributes:
        number: its name as servers read it.
        path: its folder.
        release: None where no readable `release.json` is: somebody else put it there.
    """

    number: int
    path: Path
    release: Release | None

    @property
    def megabytes(self) -> float:
        """Size of its files in MB."""
        return sum(path.stat().st_size for path in self.path.rglob("*") if path.is_file()) / 1e6


def read_versions(base: Path) -> dict[int, Version]:
    """Reads what a server that watches a folder would find.

    Args:
        base: folder of the model's versions; it need not exist.

    Returns:
        Version by number, rising.
    """
    if not base.is_dir():
        return {}
    numbered = {int(child.name): child for child in base.iterdir() if _NUMBER.fullmatch(child.name) and child.is_dir()}
    return {number: Version(number, path, read_release(path)) for number, path in sorted(numbered.items())}


def read_release(version: Path) -> Release | None:
    """Reads a version's `release.json`; None if there is none, or none that can be read.

    Args:
        version: its folder.
    """
    try:
        return Release.model_validate_json((version / RELEASE_FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def digest(folder: Path) -> str:
    """Digests the names and contents of a SavedModel's files, all but `release.json`.

    Args:
        folder: of the SavedModel.

    Returns:
        SHA-256 in hex.
    """
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        if name != RELEASE_FILE:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            total.update(f"{name}\n{content}\n".encode())
    return total.hexdigest()


def check_files(version: Version) -> None:
    """Compares a version's files with the digest that was recorded when it was pushed.

    Args:
        version: one with a `release.json`.

    Raises:
        ReleaseError: they differ, or nothing was recorded.
    """
    if version.release is None:
        raise ReleaseError(
            f"version {version.number} has no readable {RELEASE_FILE} in {version.path}, so its files cannot be "
            "checked; push it with the pipeline"
        )
    found = digest(version.path)
    if found != version.release.sha256:
        raise ReleaseError(
            f"the files in {version.path} are not those that were pushed: their SHA-256 is {found[:12]}…, recorded is "
            f"{version.release.sha256[:12]}…; push the model again, or restore the folder"
        )
