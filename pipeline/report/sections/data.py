"""Describes the data of a run: counts, statistics, anomalies, and how much of it the vocabulary covers."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from imdb_core import file_names
from imdb_core.examples import read_examples
from imdb_core.features import SPLITS, TEST, TEXT, TRAIN
from imdb_core.modes import VECTOR
from imdb_core.tokens import words
from pipeline.history.runs import PastArtifact, PastRun
from pipeline.report.figures.drawing import INK, MODE_COLORS, draw

STATISTICS_FILE: Final = "FeatureStats.pb"

# Maximum number of reviews per split that are cut into words. This takes a quarter of a second, and gives shares of
# words that are exact to some thousandths.
_SAMPLE: Final = 1000
_TYPE: Final = statistics_pb2.FeatureNameStatistics


@dataclass(frozen=True)
class VocabularyCoverage:
    """How much of a split the vocabulary covers."""

    split: str
    reviews: int  # that were read
    words: int  # in these reviews
    unknown: float  # share of the words that are out of vocabulary
    cut: float  # share of the reviews that are longer than the network reads
    median: float  # words in a review


@dataclass(frozen=True)
class DataSection:
    """The data of a run."""

    ingest: Mapping[str, Any]  # the ingest's report
    dead_letters: str  # path of the file that lists the rejected rows
    statistics: list[Mapping[str, Any]]  # TFDV's, a row for each feature of a split
    anomalies: list[str] | None  # None if the ExampleValidator did not run
    vocabulary: int | None  # words with their own ids; None if Transform did not run
    coverage: list[VocabularyCoverage]  # of each split; empty if Transform did not run
    lengths: Markup | None  # None if there are no examples


def describe_data(run: PastRun) -> DataSection | None:
    """Describes the data of a run; returns None if it has no examples, or they have been deleted."""
    examples = run.artifact("ImdbExampleGen", "examples")
    report = run.file("ImdbExampleGen", "examples", file_names.REPORT)
    if examples is None or report is None:
        return None
    ingest = json.loads(report.read_text())
    texts = {split: _texts(examples, split) for split in (TRAIN, TEST)}
    normalize = bool(run.settings.get("transform.normalize"))  # runs before this setting did not
    split_words = {
        split: [words(text, normalize=normalize) for text in found] for split, found in texts.items() if found
    }
    most_tokens = run.settings.get("transform.max_tokens")
    vocabulary = read_vocabulary(run) or set()
    lengths = {split: [len(found) for found in cut] for split, cut in split_words.items()}
    return DataSection(
        ingest=ingest,
        dead_letters=str(Path(examples.uri, file_names.DEAD_LETTER)),
        statistics=_statistics(run.artifact("StatisticsGen", "statistics")),
        anomalies=_anomalies(run.artifact("ExampleValidator", "anomalies")),
        vocabulary=len(vocabulary) if vocabulary else None,
        coverage=[_coverage(split, cut, vocabulary, most_tokens) for split, cut in split_words.items() if vocabulary],
        lengths=_lengths_plot(lengths, most_tokens) if lengths else None,
    )


def read_vocabulary(run: PastRun) -> set[str] | None:
    """Reads the words that the networks of a run tell apart; returns None if Transform did not run."""
    file = run.file("Transform", "transform_graph", f"transform_fn/assets/{file_names.VOCABULARY}")
    return set(file.read_text("utf-8").split("\n")) - {""} if file else None


def _coverage(split: str, cut: list[list[str]], vocabulary: set[str], most_tokens: int | None) -> VocabularyCoverage:
    """Measures how much of a split the vocabulary covers; the start mark takes one of the tokens that are read."""
    total = sum(map(len, cut))
    unknown = sum(word not in vocabulary for found in cut for word in found)
    return VocabularyCoverage(
        split=split,
        reviews=len(cut),
        words=total,
        unknown=unknown / total if total else 0.0,
        cut=sum(len(found) >= (most_tokens or len(found) + 1) for found in cut) / len(cut),
        median=float(np.median([len(found) for found in cut])),
    )


def _lengths_plot(lengths: Mapping[str, Sequence[int]], most_tokens: int | None) -> Markup:
    """Draws the distribution of the lengths of reviews by split."""

    def paint(axes: Axes) -> None:
        longest = float(np.percentile(np.concatenate([np.asarray(values) for values in lengths.values()]), 99))
        edges = np.linspace(0, max(longest, 10), 31).tolist()
        for (split, values), style in zip(lengths.items(), ("-", "--"), strict=False):
            shares = np.full(len(values), 1 / len(values))
            axes.hist(
                np.clip(values, 0, edges[-1]),
                edges,
                weights=shares,
                histtype="step",
                color=INK,
                alpha=1 if style == "-" else 0.6,
                linestyle=style,
                linewidth=1.5,
                label=split,
            )
        if most_tokens is not None and most_tokens < edges[-1]:
            axes.axvline(most_tokens, color=MODE_COLORS[VECTOR], linewidth=1.2)
            axes.annotate(
                f" {most_tokens} tokens are read", (most_tokens, 0.97), xycoords=("data", "axes fraction"), va="top"
            )
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set(xlabel="words in a review (the last bar holds all longer ones)", ylabel="share of reviews")
        axes.legend(loc="center right")

    return draw("lengths", "Histogram of the number of words in a review", paint)


def _texts(examples: PastArtifact, split: str) -> list[str]:
    features = read_examples(examples.split_folder(split), _SAMPLE)
    return [feature[TEXT].bytes_list.value[0].decode("utf-8", "replace") for feature in features]


def _statistics(statistics: PastArtifact | None) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = []
    for split, content in split_files(statistics, STATISTICS_FILE):
        for dataset in statistics_pb2.DatasetFeatureStatisticsList.FromString(content).datasets:
            for feature in sorted(dataset.features, key=_feature_name):
                rows.append({"split": split, **_row(feature)})
    return rows


def _row(feature: Any) -> Mapping[str, Any]:
    numbers = feature.WhichOneof("stats") == "num_stats"
    stats = feature.num_stats if numbers else feature.string_stats
    return {
        "feature": _feature_name(feature),
        "type": _TYPE.Type.Name(feature.type).lower(),
        "count": int(stats.common_stats.num_non_missing),
        "missing": int(stats.common_stats.num_missing),
        # TFDV estimates large counts, with an error of some per cent.
        "distinct": None if numbers else int(stats.unique),
        "least": stats.min if numbers else None,
        "mean": stats.mean if numbers else stats.avg_length,
        "most": stats.max if numbers else None,
        "unit": "" if numbers else "bytes",
    }


def _feature_name(feature: Any) -> str:
    return feature.name or ".".join(feature.path.step)


def _anomalies(anomalies: PastArtifact | None) -> list[str] | None:
    if anomalies is None:
        return None
    found = []
    for split, content in split_files(anomalies, "SchemaDiff.pb"):
        report = anomalies_pb2.Anomalies.FromString(content)
        found += [
            f"{split}: {feature or 'the dataset'}: {info.description}"
            for feature, info in sorted(report.anomaly_info.items())
        ]
        if report.HasField("dataset_anomaly_info"):
            found.append(f"{split}: the dataset: {report.dataset_anomaly_info.description}")
    return found


def split_files(artifact: PastArtifact | None, file: str) -> Iterator[tuple[str, bytes]]:
    """Yields each split that has a file in an artifact, in the order of `SPLITS`, with the file's content."""
    for split in SPLITS:
        path = artifact.split_folder(split) / file if artifact else None
        if path and path.is_file():
            yield split, path.read_bytes()
