"""Transformed examples in memory, and the batches of a training and of an evaluation."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.network.lengths import lengths
from imdb_core import features
from imdb_core.records import in_batches, read_records

_PARSE_BATCH: Final = 1024
# Batches of similar length are cut from this many shuffled batches at a time. On 25,000 real reviews the mean length of
# a batch is then 162 tokens instead of 200, and a review's neighbours still change from epoch to epoch.
_POOL: Final = 50

_Rows = npt.NDArray[np.intp]


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

    Their order depends on their content alone, not on that of files, shards or workers, so that it cannot change what
    is trained.

    Args:
        patterns: Globs of gzipped TFRecord files. They may match nothing.
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
    token_ids, labels = (np.concatenate(parts) for parts in zip(none, *parsed, strict=True))
    order = _content_order(token_ids, labels)
    return Examples(token_ids[order], labels[order])


def training_batches(
    examples: Examples, batch_size: int, seed: int, epoch: int, *, by_length: bool
) -> Iterator[Examples]:
    """Yields the batches of an epoch in random order.

    Each example comes once. The order depends only on the arguments, so a training that resumes in an epoch gets the
    same batches as an uninterrupted one.

    Args:
        examples: Examples to train on.
        batch_size: Number of examples in a batch; one of the epoch's batches may have fewer.
        seed: Seed of the training.
        epoch: Number of the epoch, from 0.
        by_length: Whether to put reviews of similar length together and cut their common padding off. It makes a
            training faster, and is allowed only if padding changes no output of the network.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(examples.labels))
    if not by_length:
        yield from (_taken(examples, rows) for rows in _cut(order, batch_size))
        return
    length = lengths(examples.token_ids)
    pools = (pool[np.argsort(length[pool], kind="stable")] for pool in _cut(order, _POOL * batch_size))
    batches = [rows for pool in pools for rows in _cut(pool, batch_size)]
    for place in rng.permutation(len(batches)):
        yield _trimmed(_taken(examples, batches[place]), length[batches[place]])


def evaluation_batches(examples: Examples, batch_size: int, *, by_length: bool) -> Iterator[tuple[_Rows, Examples]]:
    """Yields batches with the rows that their examples have in `examples`, short reviews first if `by_length`."""
    length = lengths(examples.token_ids)
    order = np.argsort(length, kind="stable") if by_length else np.arange(len(length))
    for rows in _cut(order, batch_size):
        batch = _taken(examples, rows)
        yield rows, _trimmed(batch, length[rows]) if by_length else batch


def steps(examples: Examples, batch_size: int) -> int:
    """Returns the number of batches in one pass, including a smaller one."""
    return -(-len(examples.labels) // batch_size)


def _content_order(token_ids: npt.NDArray[np.int32], labels: npt.NDArray[np.int32]) -> _Rows:
    digests = [
        hashlib.blake2b(ids.tobytes() + bytes([label]), digest_size=16).digest()
        for ids, label in zip(token_ids, labels, strict=True)
    ]
    return np.array(sorted(range(len(digests)), key=digests.__getitem__), np.intp)


def _cut(rows: _Rows, size: int) -> Iterator[_Rows]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _taken(examples: Examples, rows: _Rows) -> Examples:
    return Examples(examples.token_ids[rows], examples.labels[rows])


def _trimmed(batch: Examples, length: npt.NDArray[np.intp]) -> Examples:
    return Examples(batch.token_ids[:, : length.max()], batch.labels)


def _compact(parsed: Mapping[str, tf.Tensor]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    token_ids = parsed[features.TOKEN_IDS].numpy().astype(np.int32)
    return token_ids, parsed[features.LABEL].numpy().reshape(-1).astype(np.int32)
