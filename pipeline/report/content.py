"""All that the page says of a run, out of ML Metadata and artifacts; what a run did not get to is None."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup
from ml_metadata.proto import metadata_store_pb2

from components.predictions.reading import read_predictions
from imdb_core import features, modes
from imdb_core.examples import read_examples
from imdb_core.stats.intervals import Estimate
from pipeline.history.lineage import LineageStep, trace_artifact
from pipeline.history.runs import CACHED, PastRun
from pipeline.text_table import TextTable
from pipeline.history.tuning import trials_table, tuning_sentence
from pipeline.report.figures.plots import training_plot
from pipeline.report.graph_layout import Layout, layout, upstream_of
from pipeline.report.headline import Headline, headline
from pipeline.report.sections.attention import Attention, describe_attention
from pipeline.report.sections.comparison import Comparison, compare
from pipeline.report.sections.data import Data, describe_data
from pipeline.settings import changed_settings, preset_settings

_CONFIDENCE: Final = 0.95
_CURVES: Final = (("log_loss", "log loss"), ("accuracy", "accuracy"))


@dataclass(frozen=True)
class NodeRow:
    """What a node took.

    Attributes:
        node: its id.
        state: ML Metadata's word.
        seconds: wall time; None where it did nothing, or did not start.
        megabytes: peak memory in MiB; None where it was not watched.
    """

    node: str
    state: str
    seconds: float | None
    megabytes: float | None


@dataclass(frozen=True)
class Setting:
    """A setting of the run.

    Attributes:
        key: `section.key`.
        value: as JSON.
        default: of the preset, as JSON; None where this version of the project has no such setting.
        changed: whether the two differ.
    """

    key: str
    value: str
    default: str | None
    changed: bool


@dataclass(frozen=True)
class Content:
    """The page's content.

    Attributes:
        run: the run.
        started: in words.
        headline: the outcome in words.
        preset: of the settings; None where it is unknown.
        comparison: both modes on the test split.
        training: pictures of the training, by name.
        attention: what the Explainer found.
        data: what the model was made from.
        nodes: what each node took, in order.
        seconds: wall time of the run; None where it was not measured.
        layout: the picture of the pipeline.
        lineage: from the pushed version, or else from the chosen model, to the data.
        search: what the Tuner found in words, and its trials; None where it was off.
        settings: all of them.
        versions: of packages, by name; empty where they were not recorded.
    """

    run: PastRun
    started: str
    headline: Headline
    preset: str | None
    comparison: Comparison | None
    training: Mapping[str, Markup]
    attention: Attention | None
    data: Data | None
    nodes: Sequence[NodeRow]
    seconds: float | None
    layout: Layout
    lineage: LineageStep | None
    search: tuple[str, TextTable] | None
    settings: Sequence[Setting]
    versions: Mapping[str, str]


def gather(connection: metadata_store_pb2.ConnectionConfig, run: PastRun) -> Content:
    """Collects the content of a page.

    Args:
        connection: to ML Metadata.
        run: a past one; its artifacts may be gone.
    """
    record = run.record or run.failure or {}
    nodes = node_rows(run)
    known = upstream_of(run)
    subject = run.artifact("Pusher", "pushed_model") or run.artifact("ModeSelector", "model")
    return Content(
        run=run,
        started=time.strftime("%Y-%m-%d %H:%M", time.localtime(run.started)),
        headline=headline(run),
        preset=run.settings.get("preset"),
        comparison=_comparison(run),
        training=_training(run),
        attention=describe_attention(run),
        data=describe_data(run),
        nodes=nodes,
        seconds=record.get("seconds"),
        layout=layout({row.node: known.get(row.node, []) for row in nodes}),
        lineage=trace_artifact(connection, subject.id) if subject else None,
        search=(tuning_sentence(tuning), trials_table(tuning, run.settings))
        if (tuning := record.get("tuning"))
        else None,
        settings=compare_settings(run.settings),
        versions=record.get("versions", {}),
    )


def node_rows(run: PastRun) -> list[NodeRow]:
    """Says what each node took: as watched while it ran, or else as ML Metadata tells.

    Args:
        run: a past one.
    """
    record = run.record or run.failure
    if record:
        return [
            NodeRow(*(row[key] for key in ("node", "state", "seconds", "peak_megabytes"))) for row in record["nodes"]
        ]
    return [
        NodeRow(node.node, node.state, None if node.state == CACHED else node.ended - node.started, None)
        for node in run.nodes.values()
    ]


def compare_settings(settings: Mapping[str, Any]) -> list[Setting]:
    """Sets each setting beside what its preset says.

    Args:
        settings: `section.key` → value.
    """
    defaults, changed = preset_settings(settings), changed_settings(settings)
    return [
        Setting(
            key,
            json.dumps(value, ensure_ascii=False),
            json.dumps(defaults[key], ensure_ascii=False) if key in defaults else None,
            changed=key in changed,
        )
        for key, value in settings.items()
    ]


def _comparison(run: PastRun) -> Comparison | None:
    artifact = run.artifact("Predictions.modes", "predictions")
    folder = Path(artifact.uri, f"Split-{features.TEST}") if artifact else None
    predictions = read_predictions(read_examples(folder)) if folder and folder.is_dir() else None
    if predictions is None or not len(predictions.labels):
        return None
    selection = run.selection
    difference = Estimate(selection["accuracy_difference"], *selection["interval"]) if selection else None
    confidence = selection["confidence"] if selection else _CONFIDENCE
    return compare(predictions, confidence, difference)


def _training(run: PastRun) -> dict[str, Markup]:
    histories: dict[str, Mapping[str, Sequence[float]]] = {}
    for mode in modes.MODES:
        artifact = run.artifact(f"Trainer.{mode}", "model_run")
        file = Path(artifact.uri, "history.json") if artifact else None
        if file and file.is_file():
            histories[mode] = json.loads(file.read_text())
    return {label: training_plot(f"training-{key}", label, key, histories) for key, label in _CURVES if histories}
