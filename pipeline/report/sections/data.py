"""What the model was made from: counts, statistics, anomalies, and how much of it the vocabulary knows."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from markupsafe import Markup
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from imdb_core import file_names
from imdb_core.examples import read_examples
from imdb_core.features import SPLITS, TEST, TEXT, TRAIN
from imdb_core.tokens import words
from pipeline.history.runs import PastArtifact, PastRun
from pipeline.report.figures.plots import lengths_plot

STATISTICS_FILE: Final = "FeatureStats.pb"

# Reviews a split that are cut into words: a share of words is exact to some thousandths then, in a quarter of a second.
_SAMPLE: Final = 1000
_TYPE: Final = statistics_pb2.FeatureNameStatistics


@dataclass(frozen=True)
class Coverage:
    """How much of a split the vocabulary knows.

    Attributes:
        split: its name.
        reviews: number that was looked at.
        words: number of words in them.
        unknown: share of the words that are out of vocabulary.
        cut: share of the reviews that are longer than what the network reads.
        median: words of a review.
    """

    split: str
    reviews: int
    words: int
    unknown: float
    cut: float
    median: float


@dataclass(frozen=True)
class Data:
    """All that the page says of the data.

    Attributes:
        ingest: the ingest's report.
        dead_letters: where rejected rows are listed.
        statistics: rows of TFDV's statistics: split, feature, type, count, missing, distinct, least, mean, most.
        anomalies: in words, by split; None where no validator ran.
        vocabulary: number of words that have an id; None before Transform ran.
        coverage: by split; empty before Transform ran.
        lengths: the picture of lengths; None where no examples are left.
    """

    ingest: Mapping[str, Any]
    dead_letters: str
    statistics: list[Mapping[str, Any]]
    anomalies: list[str] | None
    vocabulary: int | None
    coverage: list[Coverage]
    lengths: Markup | None


def describe_data(run: PastRun) -> Data | None:
    """Describes the data of a run; None where it ended before there was any, or its files are gone.

    Args:
        run: a past one.
    """
    examples = run.artifact("ImdbExampleGen", "examples")
    report = Path(examples.uri, "ingest_report.json") if examples else None
    if examples is None or report is None or not report.is_file():
        return None
    ingest = json.loads(report.read_text())
    texts = {split: _texts(Path(examples.uri), split) for split in (TRAIN, TEST)}
    split_words = {split: [words(text) for text in found] for split, found in texts.items() if found}
    most_tokens = run.settings.get("transform.max_tokens")
    vocabulary = _vocabulary(run.artifact("Transform", "transform_graph"))
    lengths = {split: [len(found) for found in cut] for split, cut in split_words.items()}
    return Data(
        ingest=ingest,
        dead_letters=str(Path(examples.uri, "dead_letter", "rows.jsonl")),
        statistics=_statistics(run.artifact("StatisticsGen", "statistics")),
        anomalies=_anomalies(run.artifact("ExampleValidator", "anomalies")),
        vocabulary=len(vocabulary) if vocabulary else None,
        coverage=[coverage(split, cut, vocabulary, most_tokens) for split, cut in split_words.items() if vocabulary],
        lengths=lengths_plot(lengths, most_tokens) if lengths else None,
    )


def coverage(split: str, cut: list[list[str]], vocabulary: set[str], most_tokens: int | None) -> Coverage:
    """Counts the words that have no id.

    Args:
        split: its name.
        cut: the words of each review, at least one review.
        vocabulary: words in lower case.
        most_tokens: that the network reads, the start mark included; None where it is unknown.
    """
    total = sum(map(len, cut))
    unknown = sum(word not in vocabulary for found in cut for word in found)
    return Coverage(
        split=split,
        reviews=len(cut),
        words=total,
        unknown=unknown / total if total else 0.0,
        cut=sum(len(found) >= (most_tokens or len(found) + 1) for found in cut) / len(cut),
        median=float(np.median([len(found) for found in cut])),
    )


def _texts(examples: Path, split: str) -> list[str]:
    features = read_examples(examples / f"Split-{split}", _SAMPLE)
    return [feature[TEXT].bytes_list.value[0].decode("utf-8", "replace") for feature in features]


def _vocabulary(graph: PastArtifact | None) -> set[str]:
    file = Path(graph.uri, "transform_fn", "assets", file_names.VOCABULARY) if graph else None
    return set(file.read_text("utf-8").splitlines()) if file and file.is_file() else set()


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
    row = {
        "feature": _feature_name(feature),
        "type": _TYPE.Type.Name(feature.type).lower(),
        "count": int(stats.common_stats.num_non_missing),
        "missing": int(stats.common_stats.num_missing),
        # A sketch counts them: some per cent off where they are many.
        "distinct": None if numbers else int(stats.unique),
        "least": stats.min if numbers else None,
        "mean": stats.mean if numbers else stats.avg_length,
        "most": stats.max if numbers else None,
    }
    return {**row, "unit": "" if numbers else "bytes"}


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


def split_files(artifact: PastArtifact | None, file: str) -> Iterable[tuple[str, bytes]]:
    """Reads a file of each split, the splits in the order of `reviews.SPLITS`.

    Args:
        artifact: with a folder a split; None has none.
        file: its name in each folder.
    """
    for split in SPLITS if artifact else ():
        path = Path(artifact.uri, f"Split-{split}", file) if artifact else Path()
        if path.is_file():
            yield split, path.read_bytes()
