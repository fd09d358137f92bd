"""Copies a SavedModel to a new version, whole or not at all."""

import fcntl
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from serving.releases.versions import RELEASE_FILE, Release, digest, read_release

# TF Serving takes only children whose name is a number for versions.
PARTIAL_PREFIX: Final = ".pushing-"

# Held while pushing, so that no push takes another's copy for the leftover of a crash.
_LOCK_FILE: Final = ".lock"


def push(source: Path, base: Path, notes: Mapping[str, Any] | None = None) -> Path:
    """Copies a SavedModel to a new version, unless the newest version is already this model.

    It is where a run was killed after the copy and before ML Metadata knew. An older version of the same model is no
    reason to skip: servers load the newest, which is another model then.

    Args:
        source: a SavedModel; it may be read-only.
        base: folder of the model's versions; made if missing. Of several pushes to it at a time, each waits its turn.
        notes: further fields of `Release`, for the version's `release.json`.

    Returns:
        The version's folder, named by the Unix second of the push, or one more than the newest version if that is
        later.
    """
    base.mkdir(parents=True, exist_ok=True)
    with (base / _LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for partial in base.glob(f"{PARTIAL_PREFIX}*"):
            shutil.rmtree(partial)
        # The path alone says little: a workspace made anew reuses the paths of the old.
        origin = (str(source), digest(source))
        newest = max((child for child in base.iterdir() if child.name.isdecimal()), key=_number, default=None)
        if newest is not None and _origin_of(newest) == origin:
            return newest
        number = max(int(time.time()), _number(newest) + 1 if newest else 0)
        partial = base / f"{PARTIAL_PREFIX}{number}"
        _copy(source, partial)
        release = Release(source=origin[0], sha256=origin[1], pushed_at=int(time.time()), **(notes or {}))
        (partial / RELEASE_FILE).parent.mkdir(exist_ok=True)
        (partial / RELEASE_FILE).write_text(release.model_dump_json(indent=2, exclude_none=True))
        for path in (*partial.rglob("*"), partial):
            _flush(path)
        version = base / str(number)
        partial.rename(version)
        _flush(base)
        return version


def _number(version: Path) -> int:
    return int(version.name)


def _origin_of(version: Path) -> tuple[str, str] | None:
    release = read_release(version)
    return (release.source, release.sha256) if release else None


def _copy(source: Path, target: Path) -> None:
    """Copies a folder without its modes, which shutil.copytree would carry over from a read-only one."""
    target.mkdir()
    for child in source.iterdir():
        copy = _copy if child.is_dir() else shutil.copyfile
        copy(child, target / child.name)


def _flush(path: Path) -> None:
    """Forces a file or folder to disk, so that a power cut leaves no renamed folder with empty files."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
