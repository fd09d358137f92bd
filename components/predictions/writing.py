"""Runs models over files of examples, and writes their probabilities."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tfx.dsl.io import fileio

from components.artifacts import GZIP, files_in, records_in
from imdb_core import progress
from imdb_core.cores import usable_cores
from imdb_core.errors import RunError
from imdb_core.features import SENTIMENTS, TEXT
from imdb_core.records import in_batches
from imdb_core.signatures import PROBABILITIES, SERVING_DEFAULT
from serving.runtime.cpp_loader import CppSavedModel

# Of all sizes from 64 to 1,000, this one takes the least CPU time on two cores.
_BATCH: Final = 256
# A batch takes as long as its longest review, so this many examples are sorted by length before they are cut into
# batches.
_SORTED: Final = 32 * _BATCH
# Batches in flight for each core and model. They keep the cores busy while earlier ones are written.
_AHEAD: Final = 2
_PROGRESS_SECONDS: Final = 0.5


class _Part(NamedTuple):
    """Examples of similar length, and which rows of a window of `window` examples they are."""

    window: int
    rows: list[int]
    examples: list[bytes]


# Maps the path of a file of examples to the probabilities, float32 `[2]`, of its examples in their order.
ProbabilitySource = Callable[[str], Iterator[npt.NDArray[np.float32]]]


def predicted_by(model: CppSavedModel, pool: ThreadPoolExecutor) -> ProbabilitySource:
    """Takes probabilities from a model, which runs a few batches ahead of its consumer.

    The iterators raise RunError if the graph fails, or returns anything but finite `[n, 2]` probabilities.

    Args:
        model: A model with signature `serving_default`, in the runtime that servers use.
        pool: The threads it runs in. Models that share a pool run in parallel.
    """

    def run(part: _Part) -> npt.NDArray[np.float32]:
        examples = part.examples
        probabilities = model.run(SERVING_DEFAULT, {"examples": np.array(examples, dtype=np.object_)})[PROBABILITIES]
        if probabilities.shape != (len(examples), len(SENTIMENTS)) or not np.isfinite(probabilities).all():
            raise RunError(
                f"{model.path} gave {PROBABILITIES} of shape {list(probabilities.shape)} for {len(examples)} "
                f"reviews, {np.count_nonzero(~np.isfinite(probabilities))} of them NaN or infinite; expected two "
                "probabilities a review: see its Trainer's losses, and lower training.learning_rate if they diverge"
            )
        return probabilities

    def probabilities_of(file: str) -> Iterator[npt.NDArray[np.float32]]:
        left = 0
        for part, probabilities in _map_ahead(pool, lambda part: (part, run(part)), _parts(records_in(file))):
            if not left:
                left, in_order = part.window, np.empty([part.window, len(SENTIMENTS)], np.float32)
            in_order[part.rows] = probabilities
            left -= len(part.rows)
            if not left:
                yield from in_order

    return probabilities_of


def written_before(folder: str, role: str) -> ProbabilitySource:
    """Takes probabilities from feature `role` of the files that `write_predictions` wrote to `folder`."""

    def probabilities_of(file: str) -> Iterator[npt.NDArray[np.float32]]:
        feature = {role: tf.io.FixedLenFeature([len(SENTIMENTS)], tf.float32)}
        for batch in in_batches(records_in(os.path.join(folder, os.path.basename(file))), _BATCH):
            yield from tf.io.parse_example(batch, feature)[role].numpy()

    return probabilities_of


def write_predictions(source: str, target: str, columns: Mapping[str, ProbabilitySource]) -> None:
    """Writes each gzipped TFRecord file of `source` to `target`, with probabilities in place of the texts.

    Args:
        source: The folder of the examples.
        target: The folder for files of the same names, with as many examples in the same order.
        columns: Sources of probabilities, by the name of the feature to write.
    """
    fileio.makedirs(target)
    written, told = 0, time.monotonic()
    for file in files_in(source):
        probabilities = [probabilities_of(file) for probabilities_of in columns.values()]
        with tf.io.TFRecordWriter(os.path.join(target, os.path.basename(file)), GZIP) as writer:
            for record, *row in zip(records_in(file), *probabilities, strict=True):
                writer.write(_predicted(record, dict(zip(columns, row, strict=True))))
                written += 1
                if time.monotonic() - told >= _PROGRESS_SECONDS:
                    told = time.monotonic()
                    progress.tell(progress.Steps(written, None, "reviews"))
    progress.tell(progress.Steps(written, written, "reviews"))


def _parts(records: Iterable[bytes]) -> Iterator[_Part]:
    for window in in_batches(records, _SORTED):
        by_length = sorted(range(len(window)), key=lambda row: len(window[row]))
        for rows in in_batches(by_length, _BATCH):
            yield _Part(len(window), rows, [window[row] for row in rows])


def _predicted(record: bytes, probabilities: Mapping[str, npt.NDArray[np.float32]]) -> bytes:
    example = tf.train.Example.FromString(record)
    features = example.features.feature
    features.pop(TEXT)
    for role, values in probabilities.items():
        features[role].float_list.value.extend(values)
    # Otherwise the order of a map's entries is arbitrary, and equal runs would write different bytes.
    return bytes(example.SerializeToString(deterministic=True))


def _map_ahead(pool: ThreadPoolExecutor, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Works like `pool.map`, but takes only a few more items than it has yielded results."""
    waiting: deque[Future[Any]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > _AHEAD * usable_cores():
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
