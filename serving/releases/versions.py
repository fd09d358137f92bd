"""The pushed versions of a model on disk, and the `release.json` of each."""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from serving.releases.errors import ReleaseError

# In a folder of the version where servers do not look for a file of this name.
RELEASE_FILE: Final = os.path.join("assets.extra", "release.json")
# Servers read an int64.
_NUMBER: Final = re.compile("[0-9]{1,18}")


class Blessing(BaseModel):
    """The verdict of one check before the push, its reason, if any, and the path of the artifact with the evidence."""

    model_config = ConfigDict(frozen=True)

    blessed: bool
    artifact: str
    reason: str | None = None


class Release(BaseModel):
    """`assets.extra/release.json`: the origin and quality of a version, readable without ML Metadata.

    Attributes:
        source: Path of the SavedModel that was pushed.
        sha256: Digest of the version's files; see `digest`.
        pushed_at: Time of the push, as a Unix timestamp.
        run_id: Id of the pipeline run that pushed it.
        mode: Attention mode of the model.
        metrics: Metrics of that mode on the `test` split, by name.
        reason: Why this mode was chosen.
        blessings: Blessing by check: `model` for its quality, `infra` for whether it can be served.
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
class PushedVersion:
    """A version on disk.

    Attributes:
        release: Content of `release.json`; None if it cannot be read, as in a version that no pipeline pushed.
    """

    number: int
    path: Path
    release: Release | None

    @property
    def megabytes(self) -> float:
        """Size of the files in MB."""
        return sum(path.stat().st_size for path in self.path.rglob("*") if path.is_file()) / 1e6


def read_versions(base: Path) -> dict[int, PushedVersion]:
    """Reads the versions that a server would find in a model's folder, in ascending order; it may be missing."""
    if not base.is_dir():
        return {}
    numbered = {int(child.name): child for child in base.iterdir() if _NUMBER.fullmatch(child.name) and child.is_dir()}
    return {number: PushedVersion(number, path, read_release(path)) for number, path in sorted(numbered.items())}


def read_release(version: Path) -> Release | None:
    """Reads the `release.json` in a version's folder; None if the file is missing or cannot be read."""
    try:
        return Release.model_validate_json((version / RELEASE_FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def digest(folder: Path) -> str:
    """Returns the SHA-256 in hex of the names and contents of a SavedModel's files, except `release.json`."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        if name != RELEASE_FILE:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            total.update(f"{name}\n{content}\n".encode())
    return total.hexdigest()


def check_files(version: PushedVersion) -> None:
    """Compares a version's files with the digest in its `release.json`.

    Raises:
        ReleaseError: The digests differ, or the version has no readable `release.json`.
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
