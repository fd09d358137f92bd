"""Predictions: what each model says of the test reviews, so that no model is run twice on the same data."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tfx.components.util import examples_utils
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import io_utils, path_utils

from components import progress, reviews
from components.batches import in_batches
from components.comparison import BASELINE, CANDIDATE, ROLES, SELECTED_MODE
from components.cpp_loader import CppSavedModel
from components.errors import RunError
from components.records import read_records

# Takes the least CPU time of all sizes from 64 to 1,000, measured on two cores.
_BATCH: Final = 256
# Batches for each core and model: while one is written, the cores have work.
_AHEAD: Final = 2
_GZIP_LEVEL: Final = 1
_PROGRESS_SECONDS: Final = 0.5

# From the path of a file of examples to the probabilities, `[2]`, of each example in their order.
Answers = Callable[[str], Iterator[npt.NDArray[np.float32]]]


@component  # type: ignore[untyped-decorator]  # TFX ships no types
def Predictions(  # noqa: N802, PLR0917 - nodes are named like classes; TFX passes all by keyword
    examples: InputArtifact[standard_artifacts.Examples],
    candidate: InputArtifact[standard_artifacts.Model],
    predictions: OutputArtifact[standard_artifacts.Examples],
    code_digest: Parameter[str],
    baseline: InputArtifact[standard_artifacts.Model] = None,
    known: InputArtifact[standard_artifacts.Examples] = None,
) -> None:
    """Writes the test reviews with probabilities instead of texts: float32 features `candidate` and `baseline`, `[2]`.

    Args:
        examples: with split `test`.
        candidate: a model.
        predictions: Examples with split `test` alone; files and order are those of `examples`.
        code_digest: makes a change of this code a new execution.
        baseline: the model to compare with, if there is one.
        known: predictions of the two modes; then the candidate is the winner of these, and is not run again.

    Raises:
        RunError: a model cannot be run, or says what is no probability.
    """
    del code_digest
    to_run = {CANDIDATE: candidate if known is None else None, BASELINE: baseline}
    with ExitStack() as sessions:
        loaded = {
            role: sessions.enter_context(CppSavedModel(_saved_model(model)))
            for role, model in to_run.items()
            if model is not None
        }
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            columns = {role: running(model, pool) for role, model in loaded.items()}
            if known is not None:
                role = ROLES[candidate.get_string_custom_property(SELECTED_MODE)]
                columns[CANDIDATE] = reading(artifact_utils.get_split_uri([known], reviews.TEST), role)
            predictions.split_names = artifact_utils.encode_split_names([reviews.TEST])
            examples_utils.set_payload_format(predictions, example_gen_pb2.FORMAT_TF_EXAMPLE)
            examples_utils.set_file_format(predictions, "tfrecords_gzip")
            write_predictions(
                artifact_utils.get_split_uri([examples], reviews.TEST),
                artifact_utils.get_split_uri([predictions], reviews.TEST),
                columns,
            )


def running(model: CppSavedModel, pool: ThreadPoolExecutor) -> Answers:
    """Answers of a model that is run on each batch of a file, a few batches ahead of what is asked for.

    Args:
        model: with signature `serving_default`, as servers run it.
        pool: where it runs. Models that share it run side by side.

    Raises:
        RunError: while iterating: the graph fails, or gives anything but finite `[n, 2]` probabilities.
    """

    def run(examples: npt.NDArray[np.object_]) -> npt.NDArray[np.float32]:
        probabilities = model.run(reviews.SERVING_DEFAULT, {"examples": examples})[reviews.PROBABILITIES]
        if probabilities.shape != (len(examples), 2) or not np.isfinite(probabilities).all():
            raise RunError(
                f"{model.path} gave {reviews.PROBABILITIES} of shape {list(probabilities.shape)} for {len(examples)} "
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
    features.pop(reviews.TEXT)
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


def _saved_model(artifact: standard_artifacts.Model) -> str:
    return str(path_utils.serving_model_path(artifact.uri, path_utils.is_old_model_artifact(artifact)))
