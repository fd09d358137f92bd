"""Pushes a version so that whoever watches the folder sees the whole of it or nothing."""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from absl import logging
from tfx.components.pusher import component, executor
from tfx.dsl.components.base import executor_spec
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import Artifact, artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.selector import SELECTION_FILE
from serving.releases.versions import RELEASE_FILE, Blessing, Release, digest, read_release

# TF Serving takes only children whose name is a number for versions.
PARTIAL_PREFIX: Final = ".pushing-"
# Held while pushing, so that no push takes another's copy for the leftover of a crash.
_LOCK_FILE: Final = ".lock"


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
        version = push(source, Path(destination.filesystem.base_directory), self._notes(input_dict))
        logging.info("Pushed %s to %s", source, version)
        self._MarkPushed(pushed_model, pushed_destination=str(version), pushed_version=version.name)

    def _notes(self, input_dict: dict[str, list[Artifact]]) -> dict[str, Any]:
        """What this run knows of the model, as fields of `Release`."""
        return {
            "run_id": self._context.pipeline_run_id if self._context else None,
            **_selection(input_dict.get(standard_component_specs.MODEL_KEY)),
            "blessings": {
                name: Blessing(
                    blessed=blessing.get_int_custom_property("blessed") == 1,
                    artifact=blessing.uri,
                    reason=blessing.get_string_custom_property("reason") or None,
                )
                for name, key in (
                    ("model", standard_component_specs.MODEL_BLESSING_KEY),
                    ("infra", standard_component_specs.INFRA_BLESSING_KEY),
                )
                for blessing in input_dict.get(key, [])
            },
        }


class AtomicPusher(component.Pusher):  # type: ignore[misc]  # TFX ships no types
    """TFX's Pusher with `AtomicPusherExecutor`; same inputs, outputs and arguments."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(AtomicPusherExecutor)


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


def _selection(models: list[Artifact] | None) -> dict[str, Any]:
    """Reads what the ModeSelector left beside its model; another node's model has nothing there."""
    files = [os.path.join(model.uri, SELECTION_FILE) for model in models or ()]
    if not files or not fileio.exists(files[0]):
        return {}
    with fileio.open(files[0]) as file:
        selection = json.loads(file.read())
    mode = selection["winner"]
    return {"mode": mode, "metrics": selection["metrics"][mode], "reason": selection["reason"]}


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
