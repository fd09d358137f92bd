"""Finds and reads what is inside the artifacts that TFX nodes pass on."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import tensorflow as tf
from tfx.components.util import examples_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils, path_utils

from imdb_core import file_names
from imdb_core.examples import Example
from imdb_core.records import read_records

# Custom properties. The name of the first one is TFX's.
BLESSED: Final = "blessed"
REASON: Final = "reason"

# The options of the files of examples. TensorFlow's gzip header holds no time, so equal records give equal bytes.
GZIP: Final = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)


def saved_model_folder(model: Artifact) -> str:
    """Returns the folder of the SavedModel in a Model artifact."""
    return str(path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model)))


def trained_model_file(model: Artifact) -> str:
    """Returns the path of the Keras model in a Model artifact, from which its SavedModel was exported."""
    return os.path.join(model.uri, file_names.TRAINED_MODEL)


def is_blessed(blessing: Artifact) -> bool:
    """Returns the verdict of a ModelBlessing or InfraBlessing artifact."""
    return bool(blessing.get_int_custom_property(BLESSED) == 1)


def declare_splits(examples: Artifact, splits: Sequence[str]) -> None:
    """Sets the properties of an Examples artifact whose splits are gzipped TFRecord files of tf.Examples."""
    examples.split_names = artifact_utils.encode_split_names(list(splits))
    examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
    examples_utils.set_file_format(examples, "tfrecords_gzip")


def split_folder(examples: Artifact, split: str) -> str:
    """Returns the folder of a split in an Examples artifact.

    Raises:
        ValueError: The artifact has no such split.
    """
    return str(artifact_utils.get_split_uri([examples], split))


def files_in(folder: str) -> list[str]:
    """Lists the files of a split's folder, sorted by name."""
    return sorted(fileio.glob(io_utils.all_files_pattern(folder)))


def records_in(*files: str) -> Iterator[bytes]:
    """Reads the serialized examples of files, one file after the other.

    Raises:
        BadDataError: A file is cut off or damaged.
    """
    return read_records(files, tf.io.gfile.GFile)


def read_split(examples: Artifact, split: str) -> Iterator[Mapping[str, Any]]:
    """Yields the tf.train.Features of each example of a split by feature name, in the order of files and records.

    Raises:
        ValueError: The artifact has no such split.
        BadDataError: A file is cut off or damaged.
    """
    for record in records_in(*files_in(split_folder(examples, split))):
        yield Example.FromString(record).features.feature
