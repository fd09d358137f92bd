"""Batch inference without a server: a Beam pipeline that makes the same predictions from a SavedModel.

It runs `serving_default`, because RunInference cannot handle the string outputs of `serve_text`.
"""

import json
import logging
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
from imdb_core.file_names import READING_FILE, VOCABULARY
from imdb_core.records import in_batches
from imdb_core.settings import TableSettings
from imdb_core.signatures import KNOWN_WORDS, PROBABILITIES, SERVING_DEFAULT, TRAINED_ON, UNKNOWN_WORDS
from imdb_core.tokens import words
from serving.client.errors import BulkInferenceError
from serving.client.results import prediction
from serving.client.review_files import Review, read_reviews
from serving.names import MODELS_FOLDER
from serving.predict.output_files import json_line, written_atomically
from serving.releases.state import read_state

_DEFAULT: Final = TableSettings()
# The number of reviews that stay together. RunInference combines several of these parts into a batch.
_TOGETHER: Final = 64
# A batch takes as long as its longest review, so this many reviews are sorted by length before they are cut into parts.
_SORTED: Final = 64 * _TOGETHER
# They log whole tracebacks of errors that BulkInferenceError reports in one line.
_LOUD: Final = ("apache_beam", "tensorflow")


@dataclass(frozen=True)
class _Part:
    """Reviews that stay together, with their positions in the output; `number` is that of the part."""

    number: int
    reviews: tuple[tuple[int, Review], ...]


def released_model(workspace: Path, model: str, version: str | None = None) -> Path:
    """Finds the SavedModel that a server of the workspace would use.

    Without the number or label of a version it is the stable one or, without that label, the newest.

    Raises:
        ReviewPipelineError: There is no such version.
    """
    models = workspace / MODELS_FOLDER
    state = read_state(models, model)
    if version is None and state.live is None:
        raise BulkInferenceError(
            f"no version of model {model!r} was pushed to {models}; push one with `imdb-attention run`, or give "
            "--saved-model"
        )
    return state.versions[state.number(version if version is not None else str(state.live))].path


def predict_in_bulk(saved_model: Path, files: Sequence[Path], output: Path, table: TableSettings = _DEFAULT) -> int:
    """Predicts the sentiment of all reviews in files; returns their number. The output appears when it is complete.

    Args:
        saved_model: A model that the pipeline exported. If the folder's name is a number, it is the version.
        files: Files of reviews; see `serving.client.review_files`.
        output: File for the predictions as JSON lines, in the order of the reviews.
        table: How the files are read.

    Raises:
        ReviewFileError: A review cannot be read, or the output cannot be written.
        BulkInferenceError: The model cannot be run.
    """
    version = int(saved_model.name) if saved_model.name.isdecimal() else None
    # Validate all lines first: Beam would wrap an error about a line in its own messages.
    count = sum(1 for _ in read_reviews(files, table=table))
    with tempfile.TemporaryDirectory() as parts, written_atomically(output) as written:
        with _errors_of(saved_model), beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([])) as pipeline:
            read = (
                pipeline
                | beam.Create([tuple(str(file) for file in files)])
                | beam.FlatMap(_read, table.model_dump(mode="json"))
            )
            _predict(read, str(saved_model)) | beam.Map(_write, parts, version, Reading(saved_model))
        for window in in_batches(sorted(Path(parts).iterdir()), _SORTED // _TOGETHER):
            written.writelines(_in_order(window))
    return count


def _predict(examples: Any, saved_model: str) -> Any:
    model = model_spec_pb2.SavedModelSpec(model_path=saved_model, signature_name=[SERVING_DEFAULT])
    return examples | RunInference(model_spec_pb2.InferenceSpecType(saved_model_spec=model))


def _read(files: tuple[str, ...], table: dict[str, Any]) -> Iterator[tuple[_Part, list[bytes]]]:
    reviews = read_reviews([Path(file) for file in files], table=TableSettings.model_validate(table))
    windows = in_batches(enumerate(reviews), _SORTED)
    by_length = (sorted(window, key=lambda numbered: len(numbered[1].text)) for window in windows)
    for number, together in enumerate(part for window in by_length for part in in_batches(window, _TOGETHER)):
        yield _Part(number, tuple(together)), [_example(review.text) for _, review in together]


class Reading:
    """What a SavedModel says about itself, as `serve_text` answers it: its words and what it was trained on.

    A model that an older pipeline exported says nothing.
    """

    def __init__(self, saved_model: Path) -> None:
        file, vocabulary = saved_model / READING_FILE, saved_model / "assets" / VOCABULARY
        self.about = json.loads(file.read_text("utf-8")) if file.is_file() and vocabulary.is_file() else None
        self.trained_on: str | None = self.about[TRAINED_ON] if self.about else None
        # A word of the vocabulary that is no UTF-8 cannot be one of a text.
        listed = vocabulary.read_bytes().decode(errors="replace") if self.about else ""
        self.vocabulary = frozenset(listed.split("\n"))

    def said_of(self, text: str) -> dict[str, Any]:
        """Returns the attributes of `Prediction` that depend on the vocabulary."""
        if self.about is None:
            return {}
        found = words(text, normalize=self.about["normalize"])
        # The start mark takes the place of a word, if it fits.
        read = found[-self.about["max_tokens"] :]
        known = sum(map(self.vocabulary.__contains__, read))
        return {
            KNOWN_WORDS: known,
            UNKNOWN_WORDS: len(read) - known,
            TRAINED_ON: self.trained_on,
        }


def _write(answered: tuple[_Part, list[Any]], parts: str, version: int | None, reading: Reading) -> None:
    part, logs = answered
    with open(f"{parts}/{part.number:012}", "w", encoding="utf-8", newline="\n") as file:
        for (position, review), log in zip(part.reviews, logs, strict=True):
            (row,) = tf.make_ndarray(log.predict_log.response.outputs[PROBABILITIES]).tolist()
            answer = prediction(review.text, row, version, **reading.said_of(review.text))
            file.write(f"{position} {json_line(review.origin, answer.to_json())}")


def _in_order(window: Sequence[Path]) -> list[str]:
    """Returns the lines of the parts that were sorted together, in the order of the reviews."""
    numbered: dict[int, str] = {}
    for part in window:
        # Without `newline`, a line would also end at some characters that reviews contain.
        with part.open(encoding="utf-8", newline="\n") as lines:
            for line in lines:
                position, _, text = line.partition(" ")
                numbered[int(position)] = text
    return [numbered[position] for position in sorted(numbered)]


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
        # Beam and TensorFlow wrap the first error, which states what went wrong, in errors that state where.
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
