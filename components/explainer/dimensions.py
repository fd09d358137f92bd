"""Which hidden dimensions made a decision of vector mode, and which words each of them attended to."""

from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.explainer.faithfulness import Floats, Ids
from components.network.attention import Attention
from imdb_core import features, signatures


@dataclass(frozen=True)
class Dimension:
    """One dimension of the GRU's states in one review.

    Attributes:
        dimension: its number.
        share: its part in the decision; those of all dimensions sum to 1.
        weights: of its own attention over time, float32 `[time]`.
    """

    dimension: int
    share: float
    weights: Floats


def strongest_dimensions(network: keras.Model, token_ids: Ids, count: int) -> list[list[Dimension]]:
    """Finds the dimensions that contribute most to the decision.

    A dimension's contribution is gradient times input (Shrikumar et al., "Not just a black box", 2016): what the
    attention pooled in it, times the derivative of the log-odds of the sentiments by that; with `flatten` summed over
    time. Its share is the contribution's size relative to the sum over all dimensions.

    Args:
        network: from `components.network.model.build_model`, in vector mode.
        token_ids: int64 `[n, time]`.
        count: number of dimensions a review.

    Returns:
        For each review its strongest dimensions, greatest share first. Shares are 0 where nothing contributes.
    """
    attention = next(layer for layer in network.layers if isinstance(layer, Attention))
    pooled_symbol, weights_symbol = attention.output
    last = network.get_layer(signatures.PROBABILITIES)
    # Step by step the GRU would take a second.
    opened = tf.function(keras.Model(network.input, [pooled_symbol, weights_symbol]))
    head = keras.Model(pooled_symbol, last.input)
    # The log-odds of a softmax over two are the difference of its logits. Its own logarithm would overflow when sure.
    direction = last.kernel[:, features.POSITIVE] - last.kernel[:, features.NEGATIVE]

    pooled, weights = opened(token_ids, training=False)
    with tf.GradientTape() as tape:
        tape.watch(pooled)
        log_odds = tf.linalg.matvec(tf.cast(head(pooled, training=False), direction.dtype), direction)
    gradient = tape.gradient(log_odds, pooled)
    contributions = np.asarray(pooled * gradient, np.float64)
    units = weights.shape[-1]
    shares = _shares(contributions.reshape(len(token_ids), -1, units).sum(axis=1))
    order = np.argsort(-shares, axis=1, kind="stable")[:, :count]
    return [
        [Dimension(int(unit), float(row[unit]), np.asarray(attended[:, unit])) for unit in strongest]
        for row, strongest, attended in zip(shares, order, np.asarray(weights), strict=True)
    ]


def _shares(contributions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    sizes = np.abs(contributions)
    total = sizes.sum(axis=1, keepdims=True)
    return np.divide(sizes, total, out=np.zeros_like(sizes), where=total > 0)
