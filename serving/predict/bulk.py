"""Batch inference as a Beam pipeline on a SavedModel: no server, the same predictions.

It runs `serving_default`, as RunInference cannot pass on the strings that `serve_text` answers with.
"""

import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import apache_beam as beam
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from tfx_bsl.public.beam import RunInference
from tfx_bsl.public.proto import model_spec_pb2

from imdb_core.features import TEXT
from imdb_core.records import in_batches
from imdb_core.signatures import PROBABILITIES, SERVING_DEFAULT
from serving.client.errors import BulkInferenceError
from serving.client.results import prediction
from serving.client.review_files import Review, json_line, read_reviews, written_atomically
from serving.releases.state import read_state

# Reviews that stay together, in their order. RunInference makes up its batches from several of these.
_TOGETHER: Final = 64
# They print whole tracebacks for what is told in one line.
_LOUD: Final = ("apache_beam", "tensorflow")


@dataclass(frozen=True)
class _Part:
    """Reviews that stay together; `number` is their place in the output."""

    number: int
    reviews: tuple[Review, ...]


def released_model(workspace: Path, model: str, version: str | None = None) -> Path:
    """Finds the SavedModel that a server of the workspace answers with.

    Args:
        workspace: of the pipeline's runs.
        model: its name.
        version: a number or label; None for the stable version, without that label the newest.

    Raises:
        ReviewPipelineError: there is none.
    """
    models = workspace.absolute() / "models"
    state = read_state(models, model)
    if version is None and state.live is None:
        raise BulkInferenceError(
            f"no version of model {model!r} was pushed to {models}; push one with `imdb-attention run`, or give "
            "--saved-model"
        )
    return state.versions[state.number(version if version is not None else str(state.live))].path


def predict_in_bulk(saved_model: Path, files: Sequence[Path], output: Path, *, json_lines: bool = False) -> int:
    """Predicts the sentiment of all reviews in some files, and writes the output when all are done.

    Args:
        saved_model: as the pipeline exports it; a number as its name is its version.
        files: of reviews, see `review_files`.
        output: JSON lines in the order of the reviews.
        json_lines: whether all files are JSON lines, whatever their names.

    Returns:
        The number of reviews.

    Raises:
        ClientError: a review cannot be read, the model cannot be run or the output cannot be written.
    """
    version = int(saved_model.name) if saved_model.name.isdecimal() else None
    # Beam would wrap what is wrong with a line in its own words.
    count = sum(1 for _ in read_reviews(files, json_lines=json_lines))
    with tempfile.TemporaryDirectory() as parts, written_atomically(output) as written:
        with _errors_of(saved_model), beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([])) as pipeline:
            read = pipeline | beam.Create([tuple(str(file) for file in files)]) | beam.FlatMap(_read, json_lines)
            _predict(read, str(saved_model)) | beam.Map(_write, parts, version)
        for part in sorted(Path(parts).iterdir()):
            with part.open(encoding="utf-8", newline="\n") as lines:
                shutil.copyfileobj(lines, written)
    return count


def _predict(examples: Any, saved_model: str) -> Any:
    model = model_spec_pb2.SavedModelSpec(model_path=saved_model, signature_name=[SERVING_DEFAULT])
    return examples | RunInference(model_spec_pb2.InferenceSpecType(saved_model_spec=model))


def _read(files: tuple[str, ...], json_lines: bool) -> Iterator[tuple[_Part, list[bytes]]]:
    reviews = read_reviews([Path(file) for file in files], json_lines=json_lines)
    for number, together in enumerate(in_batches(reviews, _TOGETHER)):
        yield _Part(number, tuple(together)), [_example(review.text) for review in together]


def _write(answered: tuple[_Part, list[Any]], parts: str, version: int | None) -> None:
    part, logs = answered
    with open(f"{parts}/{part.number:012}", "w", encoding="utf-8", newline="\n") as file:
        for review, log in zip(part.reviews, logs, strict=True):
            (row,) = tf.make_ndarray(log.predict_log.response.outputs[PROBABILITIES]).tolist()
            file.write(json_line(review.origin, prediction(review.text, row, version).to_json()))


def _example(text: str) -> bytes:
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
    return bytes(tf.train.Example(features=tf.train.Features(feature={TEXT: feature})).SerializeToString())


@contextmanager
def _errors_of(saved_model: Path) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _LOUD]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    except Exception as error:
        # Beam and TensorFlow wrap what happened in where it happened.
        first: BaseException = error
        while (before := first.__cause__ or first.__context__) is not None:
            first = before
        what = next(iter(str(first).splitlines()), "") or type(first).__name__
        raise BulkInferenceError(
            f"cannot run {saved_model} on the reviews: {what}; give a model that the pipeline exported"
        ) from error
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
