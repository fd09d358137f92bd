"""The executor of node Pusher."""

import json
import os
from pathlib import Path
from typing import Any

from absl import logging
from tfx.components.pusher import executor
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import Artifact, artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.artifacts import REASON, is_blessed
from components.pusher.push import push
from imdb_core.file_names import SELECTION_FILE
from serving.releases.versions import Blessing


class AtomicPusherExecutor(executor.Executor):  # type: ignore[misc]  # TFX ships no types
    """TFX's Pusher with an atomic copy.

    TFX copies straight into the version's folder, saved_model.pb last. A crash leaves an incomplete version, and a
    retry within the same second treats it as complete. This executor renames the copy once it is complete and on disk.
    """

    def Do(
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
        """Collects the fields of `Release` that this run knows."""
        return {
            "run_id": self._context.pipeline_run_id if self._context else None,
            **_selection(input_dict.get(standard_component_specs.MODEL_KEY)),
            "blessings": {
                name: Blessing(
                    blessed=is_blessed(blessing),
                    artifact=blessing.uri,
                    reason=blessing.get_string_custom_property(REASON) or None,
                )
                for name, key in (
                    ("model", standard_component_specs.MODEL_BLESSING_KEY),
                    ("infra", standard_component_specs.INFRA_BLESSING_KEY),
                )
                for blessing in input_dict.get(key, [])
            },
        }


def _selection(models: list[Artifact] | None) -> dict[str, Any]:
    """Reads the `selection.json` of the ModeSelector; returns an empty dict for a model of another node."""
    files = [os.path.join(model.uri, SELECTION_FILE) for model in models or ()]
    if not files or not fileio.exists(files[0]):
        return {}
    with fileio.open(files[0]) as file:
        selection = json.loads(file.read())
    mode = selection["winner"]
    return {"mode": mode, "metrics": selection["metrics"][mode], "reason": selection["reason"]}
