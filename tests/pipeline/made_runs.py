"""Made-up runs: their ML Metadata, and artifacts of invented reviews."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from made_explanations import explanations
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2
from written_splits import write_split

from imdb_core.modes import ROLES
from imdb_core.settings import DataSettings, MetadataSettings
from pipeline.settings import flatten, load_settings
from pipeline.workspace.metadata_connection import metadata_connection

PUSHED = "2026-11-20T10:00:00.000001"
FAILED = "2026-11-21T10:00:00.000002"
VERSION = "1790000000"
LENGTHS = ("001-050", "101-200")


class MadeRuns:
    """A workspace with made-up runs.

    Attributes:
        workspace: Folder of the workspace.
        connection: How to connect to its ML Metadata.
    """

    def __init__(self, workspace: Path):
        self.workspace = workspace
        (workspace / "metadata").mkdir()
        self.connection = metadata_connection(MetadataSettings(), workspace)
        self.store = metadata_store.MetadataStore(self.connection)

    def execute(
        self,
        run_id: str,
        node: str,
        inputs: Mapping[str, Sequence[int]] | None = None,
        outputs: Mapping[str, str] | None = None,
        *,
        state: str = "COMPLETE",
        properties: Mapping[str, str] | None = None,
        told: Mapping[str, Any] | None = None,
        reused: Mapping[str, int] | None = None,
        pipeline: str = "imdb_attention",
    ) -> dict[str, int]:
        """Records an execution, makes the folders of its outputs (type by key), and returns their ids by key."""
        kind = mlmd.ExecutionType(name=f"components.{node}", properties={})
        execution = mlmd.Execution(
            type_id=self.store.put_execution_type(kind, can_add_fields=True),
            last_known_state=mlmd.Execution.State.Value(state),
        )
        for name, value in (properties or {}).items():
            execution.custom_properties[name].string_value = value
        (execution.id,) = self.store.put_executions([execution])
        ids = dict(reused or {})
        for key, kind_name in (outputs or {}).items():
            folder = self.workspace / "artifacts" / node / key / str(execution.id)
            folder.mkdir(parents=True)
            type_id = self.store.put_artifact_type(mlmd.ArtifactType(name=kind_name), can_add_fields=True)
            artifact = mlmd.Artifact(type_id=type_id, uri=str(folder))
            for name, value in (told or {}).items():
                field = "int_value" if isinstance(value, int) else "string_value"
                setattr(artifact.custom_properties[name], field, value)
            (ids[key],) = self.store.put_artifacts([artifact])
        events = [(mlmd.Event.INPUT, key, item) for key, items in (inputs or {}).items() for item in items]
        events += [(mlmd.Event.OUTPUT, key, item) for key, item in ids.items()]
        self.store.put_events([self._event(execution.id, *event) for event in events])
        of_pipeline = self._context("pipeline", pipeline)
        contexts = [
            of_pipeline,
            self._context("pipeline_run", run_id, of_pipeline),
            self._context("node", f"{pipeline}.{node}", of_pipeline),
        ]
        self.store.put_attributions_and_associations(
            [], [mlmd.Association(execution_id=execution.id, context_id=context) for context in contexts]
        )
        return ids

    def folder(self, artifact_id: int) -> Path:
        (artifact,) = self.store.get_artifacts_by_id([artifact_id])
        return Path(artifact.uri)

    def pushed_run(self, run_id: str = PUSHED, *, explained: bool = True) -> dict[str, int]:
        """Records a whole run with its artifacts; returns the ids of artifacts that tests need."""
        source = DataSettings().model_dump(mode="json")
        fingerprints = {"input_fingerprint": "f" * 64, "code_digest": "c" * 64, "data_config": json.dumps(source)}
        examples = self.execute(run_id, "ImdbExampleGen", {}, {"examples": "Examples"}, properties=fingerprints)
        write_examples(self.folder(examples["examples"]))
        taken = {"examples": [examples["examples"]]}
        statistics = self.execute(run_id, "StatisticsGen", taken, {"statistics": "ExampleStatistics"})
        write_statistics(self.folder(statistics["statistics"]))
        checked = {"statistics": [statistics["statistics"]]}
        anomalies = self.execute(run_id, "ExampleValidator", checked, {"anomalies": "ExampleAnomalies"})
        write_anomalies(self.folder(anomalies["anomalies"]))
        config = json.dumps({"transform": {"vocabulary_size": 9, "max_tokens": 8}, "code_digest": "d" * 64})
        graph = self.execute(
            run_id, "Transform", taken, {"transform_graph": "TransformGraph"}, properties={"custom_config": config}
        )
        assets = self.folder(graph["transform_graph"]) / "transform_fn" / "assets"
        assets.mkdir(parents=True)
        (assets / "vocabulary").write_text("a\nfilm\nfine\ndull\n")
        models = {}
        for mode in ROLES:
            made = self.execute(
                run_id,
                f"Trainer.{mode}",
                {"transform_graph": [graph["transform_graph"]]},
                {"model": "Model", "model_run": "ModelRun"},
            )
            models[mode] = made["model"]
            history = {"log_loss": [0.6, 0.4], "val_log_loss": [0.5, 0.45], "accuracy": [0.7, 0.8]}
            (self.folder(made["model_run"]) / "history.json").write_text(json.dumps(history))
        predictions = self.execute(
            run_id,
            "Predictions.modes",
            {**taken, "candidate": [models["vector"]], "baseline": [models["scalar"]]},
            {"predictions": "Examples"},
        )
        write_predictions(self.folder(predictions["predictions"]))
        chosen = self.execute(
            run_id,
            "ModeSelector",
            {"scalar": [models["scalar"]], "vector": [models["vector"]]},
            {"model": "Model"},
            told={"selected_mode": "scalar"},
        )
        (self.folder(chosen["model"]) / "selection.json").write_text(json.dumps(selection()))
        if explained:
            found = self.execute(run_id, "Explainer", taken, {"explanations": "Explanations"})
            (self.folder(found["explanations"]) / "explanations.json").write_text(json.dumps(explanations()))
        pushed = self.execute(
            run_id,
            "Pusher",
            {"model": [chosen["model"]]},
            {"pushed_model": "PushedModel"},
            told={"pushed": 1, "pushed_version": VERSION, "pushed_destination": f"/models/{VERSION}"},
        )
        return {**examples, **graph, "chosen": chosen["model"], **pushed}

    def failed_run(self, run_id: str = FAILED) -> None:
        """Records a run that failed in its first node."""
        self.execute(run_id, "ImdbExampleGen", state="FAILED", properties={"data_config": '{"source": "nowhere.csv"}'})

    def record(self, run_id: str, name: str, **fields: Any) -> None:
        """Writes `run.json` or `failure.json`."""
        folder = self.workspace / "reports" / run_id.replace(":", "-")
        folder.mkdir(parents=True)
        settings = flatten(load_settings(None, ["training.epochs=2"]).config)
        record = {"run_id": run_id, "settings": settings, "nodes": [], "champion": {"reasons": []}, **fields}
        (folder / name).write_text(json.dumps(record))

    def _context(self, kind: str, name: str, parent: int | None = None) -> int:
        found = self.store.get_context_by_type_and_name(kind, name)
        if found is not None:
            return found.id
        context = mlmd.Context(type_id=self.store.put_context_type(mlmd.ContextType(name=kind)), name=name)
        (context_id,) = self.store.put_contexts([context])
        if parent is not None:
            self.store.put_parent_contexts([mlmd.ParentContext(child_id=context_id, parent_id=parent)])
        return int(context_id)

    def _event(self, execution_id: int, kind: Any, key: str, artifact_id: int) -> mlmd.Event:
        event = mlmd.Event(execution_id=execution_id, artifact_id=artifact_id, type=kind)
        event.path.steps.add().key = key
        event.path.steps.add().index = 0
        return event


def write_examples(folder: Path) -> None:
    texts = ["A fine film", "dull, dull, a dull affair", "fine"]
    for split in ("train", "test"):
        write_split(folder, split, [{"text": text, "label": 1} for text in texts])
    by_label = {"negative": 20, "positive": 20}
    report = {
        "source": "sample",
        "fingerprint": "f" * 64,
        "rows_read": 125,
        "examples": {"train": by_label, "eval": by_label, "test": by_label},
        "rejected": {"no_text": 5},
        "duplicates": {"train": 3, "eval": 1, "test": 2, "training": 4},
        "leaks": 1,
        "dropped": {"train": 0, "eval": 0, "test": 0},
    }
    (folder / "ingest_report.json").write_text(json.dumps(report))


def write_predictions(folder: Path) -> None:
    random = np.random.default_rng(1)
    rows = []
    for place in range(60):
        label = place % 2
        row: dict[str, Any] = {"id": f"made/{place}", "label": label, "length_bucket": LENGTHS[place % 3 == 0]}
        row["rating"] = 9 if label else 2
        for role in ROLES.values():
            positive = float(np.clip(random.normal(0.3 + 0.4 * label, 0.2), 0.01, 0.99))
            row[role] = [1 - positive, positive]
        rows.append(row)
    write_split(folder, "test", rows)


def write_statistics(folder: Path) -> None:
    (folder / "Split-train").mkdir()
    dataset = statistics_pb2.DatasetFeatureStatistics(num_examples=40)
    rating = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.INT)
    rating.path.step.append("rating")
    rating.num_stats.common_stats.num_non_missing = 39
    rating.num_stats.common_stats.num_missing = 1
    rating.num_stats.min, rating.num_stats.max, rating.num_stats.mean = 1, 10, 5.25
    content = statistics_pb2.DatasetFeatureStatisticsList(datasets=[dataset]).SerializeToString()
    (folder / "Split-train" / "FeatureStats.pb").write_bytes(content)


def write_anomalies(folder: Path) -> None:
    (folder / "Split-train").mkdir()
    report = anomalies_pb2.Anomalies()
    report.anomaly_info["rating"].description = "Out of <range>"
    (folder / "Split-train" / "SchemaDiff.pb").write_bytes(report.SerializeToString())


def selection() -> dict[str, Any]:
    measured = {"accuracy": 0.8, "auc": 0.9, "log_loss": 0.4, "example_count": 60.0}
    return {
        "winner": "scalar",
        "significant": False,
        "reason": "no difference shown",
        "confidence": 0.95,
        "accuracy_difference": -0.01,
        "interval": [-0.05, 0.03],
        "mcnemar_p": 0.7,
        "flip_rate": 0.1,
        "parameters": {"scalar": 1000, "vector": 2000},
        "metrics": {"scalar": {**measured, "accuracy": 0.81}, "vector": measured},
    }
