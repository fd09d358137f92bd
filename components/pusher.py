"""Pushes a version so that whoever watches the folder sees the whole of it or nothing."""

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any, Final

from absl import logging
from tfx.components.pusher import component, executor
from tfx.dsl.components.base import executor_spec
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils
from tfx.utils import proto_utils

# TF Serving takes only children whose name is a number for versions.
PARTIAL_PREFIX: Final = ".pushing-"
RELEASE_FILE: Final = os.path.join("assets.extra", "release.json")


class AtomicPusherExecutor(executor.Executor):  # type: ignore[misc]  # TFX ships no types
    """TFX's Pusher with another way to copy.

    TFX copies straight into the version's folder, saved_model.pb last; after a crash a half version stands there, and
    a retry within the same second takes it for done. Here the copy is renamed when it is complete and on disk.
    """

    def Do(  # noqa: N802 - TFX's name
        self, input_dict: dict[str, list[Any]], output_dict: dict[str, list[Any]], exec_properties: dict[str, Any]
    ) -> None:
        """Pushes the model if it is blessed; see TFX's Pusher for the arguments."""
        pushed_model = artifact_utils.get_single_instance(output_dict["pushed_model"])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed_model)
            return
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties["push_destination"], destination)
        source = Path(self.GetModelPath(input_dict))
        version = push(source, Path(destination.filesystem.base_directory))
        logging.info("Pushed %s to %s", source, version)
        self._MarkPushed(pushed_model, pushed_destination=str(version), pushed_version=version.name)


class AtomicPusher(component.Pusher):  # type: ignore[misc]  # TFX ships no types
    """TFX's Pusher with `AtomicPusherExecutor`; same inputs, outputs and arguments."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(AtomicPusherExecutor)


def push(source: Path, base: Path) -> Path:
    """Copies a SavedModel to a new version, or finds the version that an interrupted run already made of it.

    Args:
        source: a SavedModel.
        base: folder of the model's versions; made if missing.

    Returns:
        The version's folder, named by the Unix second of the push, or one more than the newest version if that is
        later.
    """
    base.mkdir(parents=True, exist_ok=True)
    for partial in base.glob(f"{PARTIAL_PREFIX}*"):
        shutil.rmtree(partial)
    versions = sorted((child for child in base.iterdir() if child.name.isdecimal()), key=lambda child: int(child.name))
    for version in reversed(versions):
        if _source_of(version) == str(source):
            return version
    number = max([int(time.time()), *(int(version.name) + 1 for version in versions)])
    partial = base / f"{PARTIAL_PREFIX}{number}"
    shutil.copytree(source, partial)
    release = partial / RELEASE_FILE
    release.parent.mkdir(exist_ok=True)
    release.write_text(json.dumps({"source": str(source), "pushed_at": int(time.time())}, indent=2))
    for path in sorted(partial.rglob("*")):
        _flush(path)
    _flush(partial)
    version = base / str(number)
    partial.rename(version)
    _flush(base)
    return version


def _source_of(version: Path) -> str | None:
    try:
        return str(json.loads((version / RELEASE_FILE).read_text())["source"])
    except (OSError, ValueError, KeyError):
        return None


def _flush(path: Path) -> None:
    """Forces a file or folder to disk, so that a power cut leaves no renamed folder with empty files."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
