"""Gathers the content of a page from ML Metadata and artifacts."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from ml_metadata.proto import metadata_store_pb2

from components.predictions.reading import ModePredictions, read_predictions
from imdb_core.examples import read_examples
from imdb_core.features import TEST
from imdb_core.file_names import EXPLANATIONS_FILE
from pipeline.history.lineage import LineageStep, trace_artifact
from pipeline.history.runs import PastRun
from pipeline.report.sections.attention import AttentionSection, describe_attention
from pipeline.report.sections.configuration import ConfigurationSection, describe_configuration
from pipeline.report.sections.data import DataSection, describe_data, read_vocabulary
from pipeline.report.sections.disagreement import DisagreementSection, describe_disagreement
from pipeline.report.sections.faithfulness import FaithfulnessSection, describe_faithfulness
from pipeline.report.sections.modes import ModesSection, describe_modes
from pipeline.report.sections.pipeline import PipelineSection, describe_pipeline
from pipeline.report.sections.summary import SummarySection, describe_summary
from pipeline.report.sections.training import describe_training


@dataclass(frozen=True)
class PageContent:
    """The run, and the content of each section of its page; None for a section that the run did not reach."""

    run: PastRun
    started: str  # local time
    summary: SummarySection
    modes: ModesSection | None
    disagreement: DisagreementSection | None
    training: Mapping[str, Markup]  # learning curves by metric
    attention: AttentionSection | None
    faithfulness: FaithfulnessSection | None
    data: DataSection | None
    pipeline: PipelineSection
    lineage: LineageStep | None  # the last step
    configuration: ConfigurationSection


def gather(connection: metadata_store_pb2.ConnectionConfig, run: PastRun) -> PageContent:
    """Gathers the content of the page of a run, some of whose artifacts may have been deleted."""
    predictions, explanations = _predictions(run), _explanations(run)
    return PageContent(
        run=run,
        started=time.strftime("%Y-%m-%d %H:%M", time.localtime(run.started)),
        summary=describe_summary(run),
        modes=describe_modes(predictions, run.selection) if predictions else None,
        disagreement=describe_disagreement(predictions) if predictions else None,
        training=describe_training(run),
        attention=describe_attention(explanations, read_vocabulary(run)) if explanations else None,
        faithfulness=describe_faithfulness(explanations) if explanations else None,
        data=describe_data(run),
        pipeline=describe_pipeline(run),
        lineage=_lineage(connection, run),
        configuration=describe_configuration(run),
    )


def _predictions(run: PastRun) -> ModePredictions | None:
    """Reads what node Predictions.modes wrote; returns None if there are no predictions."""
    artifact = run.artifact("Predictions.modes", "predictions")
    predictions = read_predictions(read_examples(artifact.split_folder(TEST))) if artifact else None
    return predictions if predictions and len(predictions.labels) else None


def _explanations(run: PastRun) -> Mapping[str, Any] | None:
    """Reads what node Explainer wrote; returns None if there are no explanations."""
    file = run.file("Explainer", "explanations", EXPLANATIONS_FILE)
    return json.loads(file.read_text("utf-8")) if file else None


def _lineage(connection: metadata_store_pb2.ConnectionConfig, run: PastRun) -> LineageStep | None:
    """Traces the pushed version, or else the chosen model, back to its data; returns None if there is neither."""
    subject = run.artifact("Pusher", "pushed_model") or run.artifact("ModeSelector", "model")
    return trace_artifact(connection, subject.id) if subject else None
