"""Runs models over files of examples, and writes their probabilities."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tfx.dsl.io import fileio
from tfx.utils import io_utils

from imdb_core import progress
from imdb_core.errors import RunError
from imdb_core.features import TEXT
from imdb_core.records import in_batches, read_records
from imdb_core.signatures import PROBABILITIES, SERVING_DEFAULT
from serving.runtime.cpp_loader import CppSavedModel

# Takes the least CPU time of all sizes from 64 to 1,000, measured on two cores.
_BATCH: Final = 256

# Batches for each core and model: while one is written, the cores have work.
_AHEAD: Final = 2

_GZIP_LEVEL: Final = 1

_PROGRESS_SECONDS: Final = 0.5

# From the path of a file of examples to the probabilities, `[2]`, of each example in their order.
Answers = Callable[[str], Iterator[npt.NDArray[np.float32]]]


def running(model: CppSavedModel, pool: ThreadPoolExecutor) -> Answers:
    """Answers of a model that is run on each batch of a file, a few batches ahead of what is asked for.

    Args:
        model: with signature `serving_default`, as servers run it.
        pool: where it runs. Models that share it run side by side.

    Raises:
        RunError: while iterating: the graph fails, or gives anything but finite `[n, 2]` probabilities.
    """

    def run(examples: npt.NDArray[np.object_]) -> npt.NDArray[np.float32]:
        probabilities = model.run(SERVING_DEFAULT, {"examples": examples})[PROBABILITIES]
        if probabilities.shape != (len(examples), 2) or not np.isfinite(probabilities).all():
            raise RunError(
                f"{model.path} gave {PROBABILITIES} of shape {list(probabilities.shape)} for {len(examples)} "
                f"reviews, {np.count_nonzero(~np.isfinite(probabilities))} of them NaN or infinite; expected two "
                "probabilities a review: see its Trainer's losses, and lower training.learning_rate if they diverge"
            )
        return probabilities

    def answers(file: str) -> Iterator[npt.NDArray[np.float32]]:
        for probabilities in _map_ahead(pool, run, _batches(file)):
            yield from probabilities

    return answers


def reading(folder: str, role: str) -> Answers:
    """Answers that `write_predictions` wrote before.

    Args:
        folder: with a file of the same name for each file of examples.
        role: the feature.
    """

    def answers(file: str) -> Iterator[npt.NDArray[np.float32]]:
        for batch in _batches(os.path.join(folder, os.path.basename(file))):
            yield from tf.io.parse_example(batch, {role: tf.io.FixedLenFeature([2], tf.float32)})[role].numpy()

    return answers


def write_predictions(source: str, target: str, columns: Mapping[str, Answers]) -> None:
    """Writes each file of examples again, with answers instead of the text.

    Args:
        source: folder of gzip TFRecord files.
        target: folder for files of the same names, with as many examples in the same order.
        columns: answers by the name of their feature.
    """
    fileio.makedirs(target)
    options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=_GZIP_LEVEL)
    written, told = 0, time.monotonic()
    for file in sorted(fileio.glob(io_utils.all_files_pattern(source))):
        records = (record for batch in _batches(file) for record in batch)
        answers = [column(file) for column in columns.values()]
        with tf.io.TFRecordWriter(os.path.join(target, os.path.basename(file)), options) as writer:
            for record, *row in zip(records, *answers, strict=True):
                writer.write(_answered(record, dict(zip(columns, row, strict=True))))
                written += 1
                if time.monotonic() - told >= _PROGRESS_SECONDS:
                    told = time.monotonic()
                    progress.tell(progress.Steps(written, None, "reviews"))
    progress.tell(progress.Steps(written, written, "reviews"))


def _answered(record: bytes, answers: Mapping[str, npt.NDArray[np.float32]]) -> bytes:
    example = tf.train.Example.FromString(record)
    features = example.features.feature
    features.pop(TEXT)
    for role, probabilities in answers.items():
        features[role].float_list.value.extend(probabilities)
    # The order of a map's entries is arbitrary otherwise, and equal runs should write equal bytes.
    return bytes(example.SerializeToString(deterministic=True))


def _batches(file: str) -> Iterator[npt.NDArray[np.object_]]:
    for batch in in_batches(read_records([file], tf.io.gfile.GFile), _BATCH):
        yield np.array(batch, dtype=np.object_)


def _map_ahead(pool: ThreadPoolExecutor, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Like `pool.map`, but takes only a few items more than it has given results for."""
    waiting: deque[Future[Any]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > _AHEAD * (os.cpu_count() or 1):
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
