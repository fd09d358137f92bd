"""Transformed examples as tf.data input for training and evaluation."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from imdb_core import features
from imdb_core.records import in_batches, read_records

_PARSE_BATCH: Final = 1024
# Batches prepared while the network computes.
_PREFETCHED: Final = 2


class Examples(NamedTuple):
    """A whole split in memory: 200 ids take 800 bytes, so a million reviews take 0.8 GB.

    Attributes:
        token_ids: int32 `[reviews, max_tokens]`.
        labels: int32 `[reviews]`.
    """

    token_ids: npt.NDArray[np.int32]
    labels: npt.NDArray[np.int32]


def load_examples(patterns: Sequence[str], feature_spec: Mapping[str, Any]) -> Examples:
    """Parses the transformed examples of a split.

    Args:
        patterns: Globs of gzipped TFRecord files, read in the order of their names. They may match nothing.
        feature_spec: The result of `TFTransformOutput.transformed_feature_spec()`.

    Raises:
        BadDataError: A file is truncated or damaged.
    """
    files = sorted({file for pattern in patterns for file in tf.io.gfile.glob(pattern)})
    spec = {name: feature_spec[name] for name in (features.TOKEN_IDS, features.LABEL)}
    batches = in_batches(read_records(files, tf.io.gfile.GFile), _PARSE_BATCH)
    parsed = [_compact(tf.io.parse_example(batch, spec)) for batch in batches]
    # An empty first batch gives a split without reviews its shapes and dtypes.
    none = (np.zeros([0, *spec[features.TOKEN_IDS].shape], np.int32), np.zeros([0], np.int32))
    token_ids, labels = zip(none, *parsed, strict=True)
    return Examples(np.concatenate(token_ids), np.concatenate(labels))


def training_batches(examples: Examples, batch_size: int, seed: int, first_epoch: int = 0) -> tf.data.Dataset:
    """Builds an endless dataset of shuffled batches, epoch after epoch.

    The order in epoch k (0-based) depends only on `seed` and k, so a training that resumes in epoch k gets the same
    batches as an uninterrupted one.

    Returns:
        Prefetched dataset of (token ids int32 `[batch, max_tokens]`, one-hot labels float32 `[batch, 2]`); an epoch is
        `steps(examples, batch_size)` batches, the last of which may be smaller.
    """
    token_ids, labels = tf.constant(examples.token_ids), _one_hot(examples)
    rows = tf.range(len(examples.labels))

    def epoch_batches(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(rows, seed=tf.stack([tf.constant(seed, tf.int64), epoch]))
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

    return _untuned(
        tf.data.Dataset.counter(start=first_epoch)
        .flat_map(epoch_batches)
        .map(lambda batch: (tf.gather(token_ids, batch), tf.gather(labels, batch)))
        .prefetch(_PREFETCHED)
    )


def evaluation_batches(examples: Examples, batch_size: int) -> tf.data.Dataset:
    """Builds an endless dataset like `training_batches`, in the order of the examples.

    It repeats because Keras warns when a dataset ends.
    """
    batches = tf.data.Dataset.from_tensor_slices((examples.token_ids, _one_hot(examples))).batch(batch_size)
    return _untuned(batches.cache().repeat().prefetch(_PREFETCHED))


def steps(examples: Examples, batch_size: int) -> int:
    """Returns the number of batches in one pass, including a smaller last one."""
    return -(-len(examples.labels) // batch_size)


def _untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    # Nothing here needs autotuning, and closing an iterator can wait up to a minute for the autotuner's thread.
    options.autotune.enabled = False
    return dataset.with_options(options)


def _compact(parsed: Mapping[str, tf.Tensor]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    token_ids = parsed[features.TOKEN_IDS].numpy().astype(np.int32)
    return token_ids, parsed[features.LABEL].numpy().reshape(-1).astype(np.int32)


def _one_hot(examples: Examples) -> tf.Tensor:
    return tf.one_hot(examples.labels, len(features.SENTIMENTS))
