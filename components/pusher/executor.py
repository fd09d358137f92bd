"""The executor of node Pusher."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from absl import logging
from tfx.components.pusher import executor
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import Artifact, artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.artifacts import REASON, is_blessed, read_split
from components.predictions.reading import read_predictions
from components.pusher.papers.card import RunFacts
from components.pusher.papers.measures import measure
from components.pusher.papers.writing import write_papers
from components.pusher.push import push
from imdb_core.features import TEST
from imdb_core.file_names import REPORT, SELECTION_FILE
from imdb_core.settings import CardSettings
from serving.releases.versions import Blessing, DataFacts, Release, sha256

# Inputs and parameters that TFX's Pusher does not have.
EXAMPLES: Final = "examples"
PREDICTIONS: Final = "predictions"
CARD_SETTINGS: Final = "card_settings"
ASSIGNMENTS: Final = "assignments"


class AtomicPusherExecutor(executor.Executor):  # type: ignore[misc]  # TFX ships no types
    """TFX's Pusher with an atomic copy, and with a model card and a software bill of materials in it.

    TFX copies straight into the version's folder, saved_model.pb last. A crash leaves an incomplete version, and a
    retry within the same second treats it as complete. This executor renames the copy once it is complete and on disk.
    """

    def Do(
        self, input_dict: dict[str, list[Any]], output_dict: dict[str, list[Any]], exec_properties: dict[str, Any]
    ) -> None:
        """Pushes the model of the ModeSelector if it is blessed; see TFX's Pusher for the arguments."""
        pushed_model = artifact_utils.get_single_instance(output_dict["pushed_model"])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed_model)
            return
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties["push_destination"], destination)
        source, versions = Path(self.GetModelPath(input_dict)), Path(destination.filesystem.base_directory)
        stated = CardSettings.model_validate_json(exec_properties[CARD_SETTINGS])
        (examples,), (predictions,) = input_dict[EXAMPLES], input_dict[PREDICTIONS]
        with fileio.open(os.path.join(examples.uri, REPORT)) as file:
            ingest = json.loads(file.read())
        selection = _selection(input_dict[standard_component_specs.MODEL_KEY])

        def papers(number: int, folder: Path, release: Release) -> Mapping[str, bytes]:
            mode = selection["winner"]
            facts = RunFacts(
                model_name=versions.name,
                parameters=selection["parameters"][mode],
                ingest=ingest,
                measures=measure(read_predictions(read_split(predictions, TEST)), mode, selection["confidence"]),
                assignments=json.loads(exec_properties[ASSIGNMENTS]),
            )
            return write_papers(number, folder, release, stated, facts)

        notes = {
            **self._notes(input_dict, selection),
            "data": DataFacts(source=ingest["source"], fingerprint=ingest["fingerprint"]),
            "card_settings": sha256(stated.model_dump_json().encode()),
        }
        version = push(source, versions, notes, papers)
        logging.info("Pushed %s to %s", source, version)
        self._MarkPushed(pushed_model, pushed_destination=str(version), pushed_version=version.name)

    def _notes(self, input_dict: dict[str, list[Artifact]], selection: Mapping[str, Any]) -> dict[str, Any]:
        """Collects the fields of `Release` that this run knows."""
        return {
            "run_id": self._context.pipeline_run_id if self._context else None,
            "mode": selection["winner"],
            "metrics": selection["metrics"][selection["winner"]],
            "reason": selection["reason"],
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


def _selection(models: list[Artifact]) -> dict[str, Any]:
    """Reads the `selection.json` of the ModeSelector, beside the model."""
    with fileio.open(os.path.join(models[0].uri, SELECTION_FILE)) as file:
        return dict(json.loads(file.read()))
