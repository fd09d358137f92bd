"""Finds the hidden dimensions that made a decision of mode vector, and the words that each of them attended to."""

from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.explainer.arrays import Floats, TokenIds
from components.graph_functions import graph_function
from components.network.attention import Attention
from imdb_core import features, signatures


@dataclass(frozen=True)
class HiddenDimension:
    """A dimension of the GRU's states in one review.

    Attributes:
        dimension: The dimension's number.
        share: The dimension's share in the decision; the shares of all dimensions sum to 1.
        weights: The dimension's own attention weights, float32 `[time]`.
    """

    dimension: int
    share: float
    weights: Floats


def strongest_dimensions(network: keras.Model, token_ids: TokenIds, count: int) -> list[list[HiddenDimension]]:
    """Finds the dimensions that contribute most to the decision.

    A dimension's contribution is gradient times input (Shrikumar et al., "Not just a black box", 2016): the value that
    the attention pooled in it, times the derivative of the log-odds of the sentiments by that value; with `flatten`,
    summed over time. Its share is the contribution's size relative to the sum over all dimensions.

    Args:
        network: A network of mode vector from `build_model`.
        token_ids: int64 `[n, time]`.
        count: Number of dimensions per review.

    Returns:
        The strongest dimensions of each review, in order of falling share. Shares are 0 if nothing contributes.
    """
    attention = next(layer for layer in network.layers if isinstance(layer, Attention))
    pooled_symbol, weights_symbol = attention.output
    last = network.get_layer(signatures.PROBABILITIES)
    # Without a graph, running the GRU step by step takes a second.
    opened = graph_function(keras.Model(network.input, [pooled_symbol, weights_symbol]))
    head = keras.Model(pooled_symbol, last.input)
    # The log-odds of a softmax over two classes are the difference of its logits. Its logarithm could overflow.
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
        [HiddenDimension(int(unit), float(row[unit]), np.asarray(attended[:, unit])) for unit in strongest]
        for row, strongest, attended in zip(shares, order, np.asarray(weights), strict=True)
    ]


def _shares(contributions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    sizes = np.abs(contributions)
    total = sizes.sum(axis=1, keepdims=True)
    return np.divide(sizes, total, out=np.zeros_like(sizes), where=total > 0)
