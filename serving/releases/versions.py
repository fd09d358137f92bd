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

# In a folder of the version where servers do not look for files of these names.
_FOLDER: Final = "assets.extra"
RELEASE_FILE: Final = os.path.join(_FOLDER, "release.json")
CARD_TEXT: Final = os.path.join(_FOLDER, "MODEL_CARD.md")
CARD_JSON: Final = os.path.join(_FOLDER, "MODEL_CARD.json")
SBOM: Final = os.path.join(_FOLDER, "sbom.cdx.json")
# They describe the model and hold times, so they do not belong to its digest.
PAPERS: Final = (CARD_TEXT, CARD_JSON, SBOM)
# Written after the push; see `serving.releases.signing`.
SIGNATURE: Final = os.path.join(_FOLDER, "model.sig")
# Servers read an int64.
_NUMBER: Final = re.compile("[0-9]{1,18}")


class Blessing(BaseModel):
    """The verdict of one check before the push, its reason, if any, and the path of the artifact with the evidence."""

    model_config = ConfigDict(frozen=True)

    blessed: bool
    artifact: str
    reason: str | None = None


class DataFacts(BaseModel):
    """Which reviews a model was trained on.

    Attributes:
        source: The setting `data.source`.
        fingerprint: The digest of what determines the rows; see `components.example_gen.sources.locate`.
    """

    model_config = ConfigDict(frozen=True)

    source: str
    fingerprint: str


class Release(BaseModel):
    """`assets.extra/release.json`: the origin and quality of a version, readable without ML Metadata.

    Attributes:
        source: Path of the SavedModel that was pushed.
        sha256: Digest of the model's files; see `digest`.
        pushed_at: Time of the push, as a Unix timestamp.
        run_id: Id of the pipeline run that pushed it.
        mode: Attention mode of the model.
        metrics: Metrics of that mode on the `test` split, by name.
        reason: Why this mode was chosen.
        blessings: Blessing by check: `model` for its quality, `infra` for whether it can be served.
        data: The reviews that it was trained on.
        card_settings: Digest of the settings `[card]`, which the version's card states.
        papers: SHA-256 in hex of each of `PAPERS` by name; empty for a version that was pushed without them.
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
    data: DataFacts | None = None
    card_settings: str | None = None
    papers: Mapping[str, str] = {}


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
    """Returns the SHA-256 in hex of the names and contents of a SavedModel's files.

    `release.json`, the papers and a signature do not count: a model stays the same whoever pushes it, and whenever.
    """
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        if name not in (RELEASE_FILE, *PAPERS, SIGNATURE):
            total.update(f"{name}\n{sha256(path.read_bytes())}\n".encode())
    return total.hexdigest()


def sha256(content: bytes) -> str:
    """Returns the SHA-256 of a file's content in hex."""
    return hashlib.sha256(content).hexdigest()


def read_paper(version: PushedVersion, name: str) -> str:
    """Reads one of a version's `PAPERS`.

    Raises:
        ReleaseError: The version was pushed without papers, or the file is not the one that was pushed.
    """
    if version.release is None or name not in version.release.papers:
        raise ReleaseError(
            f"version {version.number} has no card: it was pushed without {os.path.basename(name)}; the next run of "
            "the pipeline that pushes a version gives it one"
        )
    _check_paper(version.path / name, version.release.papers[name])
    return (version.path / name).read_text(encoding="utf-8")


def check_files(version: PushedVersion) -> None:
    """Compares a version's files, papers included, with the digests in its `release.json`.

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
    for name in PAPERS:
        _check_paper(version.path / name, version.release.papers.get(name))


def _check_paper(file: Path, recorded: str | None) -> None:
    """Raises a ReleaseError if a paper is missing or another one, or if none was pushed and there is one."""
    found = sha256(file.read_bytes()) if file.is_file() else None
    if found != recorded:
        has, had = (f"SHA-256 {digest[:12]}…" if digest else "no such file" for digest in (found, recorded))
        raise ReleaseError(
            f"{file} is not what was pushed: found is {has}, recorded is {had}; push the model again, or restore the "
            "folder"
        )
