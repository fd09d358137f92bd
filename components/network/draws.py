"""Random draws for dropout, the same however a batch is shared between devices.

A layer's own random generator would give every replica of `tf.distribute` the same draws, or draws that depend on the
number of replicas. In the scope of `drawing` a draw depends on the seed, the step and the row of the whole batch alone.
"""

import contextvars
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import keras
import tensorflow as tf


@dataclass(frozen=True)
class _Part:
    seed: tf.Tensor
    rows: tf.Tensor
    first: tf.Tensor
    length: tf.Tensor
    numbers: Iterator[int] = field(default_factory=itertools.count)


_part: Final[contextvars.ContextVar[_Part | None]] = contextvars.ContextVar("part", default=None)


@contextmanager
def drawing(seed: tf.Tensor, *, rows: tf.Tensor, first: tf.Tensor, length: tf.Tensor) -> Iterator[None]:
    """Lets `uniform` draw for one part of a batch.

    Args:
        seed: integer `[2]`, different in each step.
        rows: Number of rows of the whole batch.
        first: First row of the part.
        length: Number of rows of the part. Rows beyond the batch get draws of 0.
    """
    token = _part.set(_Part(seed, rows, first, length))
    try:
        yield
    finally:
        _part.reset(token)


def uniform(shape: Sequence[Any], generator: keras.random.SeedGenerator) -> Any:
    """Draws float32 numbers from 0 (included) to 1 (excluded).

    Args:
        shape: The shape of the result; the first axis is that of the rows.
        generator: Where the numbers come from outside the scope of `drawing`.
    """
    part = _part.get()
    if part is None:
        return keras.random.uniform(shape, dtype="float32", seed=generator)
    # Each draw of a step has a number, so that equal shapes do not get equal draws.
    seed = tf.random.experimental.stateless_fold_in(part.seed, next(part.numbers))
    # The whole batch is drawn, because a part of it must not depend on where the batch was cut.
    drawn = tf.random.stateless_uniform([part.rows, *shape[1:]], seed)
    missing = tf.maximum(part.first + part.length - part.rows, 0)
    padded = tf.pad(drawn, [[0, missing], *([[0, 0]] * (len(shape) - 1))])
    return padded[part.first : part.first + part.length]
