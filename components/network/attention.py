"""The attention layer, which weighs a review's words, or each hidden dimension of each word."""

import warnings
from typing import Any, Final

import keras

from imdb_core import modes

# Far below any score of a Dense layer, yet finite, so that a softmax over padding alone is not NaN.
_MASKED_SCORE: Final = -1e9


@keras.saving.register_keras_serializable(package="imdb_attention")
class Attention(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Weighs the states of a recurrent layer and pools them over time.

    One perceptron layer scores every time step, a softmax converts the scores to weights, and the weighted states are
    summed (Raffel & Ellis 2015, "Feed-forward networks with attention can solve some long-term memory problems", for
    the scalar mode with `softmax="time"` and `pooling="sum"`). The other settings reproduce the blog's code.

    Masking: a masked step has a weight of exactly 0. In a row that is all padding every weight is 0, and the result is
    0 with `pooling="sum"`; neither the result nor its gradient is ever NaN. The layer passes no mask on, because its
    result has no separate time axis.

    Args:
        mode: `scalar` for one weight per time step, `vector` for one weight per time step and unit.
        softmax: Axis over which weights sum to 1. With `time` steps compete, separately for each unit in vector mode.
            With `last` the units of one step compete; in scalar mode there is only one, so every weight is 1.
        pooling: `sum` over time, or `flatten` of time and units.
        **kwargs: Arguments of every Keras layer.

    Call arguments:
        states: floating `[batch, time, units]`.
        mask: bool `[batch, time]`, False at padding; None masks nothing.
        return_weights: Whether to return the weights too.

    Returns:
        The pooled states in the dtype of `states`: `[batch, units]` (`sum`) or `[batch, time * units]` (`flatten`).
        With `return_weights`, a pair of the pooled states and the weights: float32 `[batch, time, 1]` (scalar) or
        `[batch, time, units]` (vector).
    """

    def __init__(self, mode: str = modes.SCALAR, softmax: str = "time", pooling: str = "sum", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name, given, allowed in (
            ("mode", mode, modes.MODES),
            ("softmax", softmax, ("time", "last")),
            ("pooling", pooling, ("sum", "flatten")),
        ):
            if given not in allowed:
                raise ValueError(f"Attention got {name}={given!r}; use one of {', '.join(map(repr, allowed))}")
        self.mode = mode
        self.softmax = softmax
        self.pooling = pooling
        self.supports_masking = True

    def build(self, states_shape: tuple[int | None, ...]) -> None:
        """Builds the perceptron layer; `states_shape` is `[batch, time, units]`."""
        units = 1 if self.mode == modes.SCALAR else states_shape[-1]
        self.score = keras.layers.Dense(units, name="score", dtype=self.dtype_policy)
        self.score.build(states_shape)

    def call(self, states: Any, mask: Any = None, return_weights: bool = False) -> Any:
        """Pools `states`; see the class docstring for shapes."""
        # Sums over 200 steps need more precision than the three digits of float16.
        scores = keras.ops.cast(self.score(states), "float32")  # [batch, time, 1 | units]
        if mask is not None:
            mask = keras.ops.expand_dims(mask, axis=-1)  # [batch, time, 1]
            scores = keras.ops.where(mask, scores, _MASKED_SCORE)
        with warnings.catch_warnings():
            # Keras warns about a softmax over a single element; the blog's code does this on purpose.
            warnings.filterwarnings("ignore", message="You are using a softmax over axis", category=UserWarning)
            weights = keras.ops.softmax(scores, axis=1 if self.softmax == "time" else -1)
        if mask is not None:
            weights = keras.ops.where(mask, weights, 0.0)

        weighted = keras.ops.cast(weights, states.dtype) * states  # [batch, time, units]
        if self.pooling == "sum":
            pooled = keras.ops.sum(weighted, axis=1)
        else:
            pooled = keras.ops.reshape(weighted, (-1, weighted.shape[1] * weighted.shape[2]))
        return (pooled, weights) if return_weights else pooled

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """Passes no mask on: the result has no time axis."""

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "mode": self.mode, "softmax": self.softmax, "pooling": self.pooling}


def word_weights(weights: Any) -> Any:
    """Reduces attention weights `[batch, time, 1 or units]` to one number per word, `[batch, time]`, for display.

    The number is the mean over the last axis. In scalar mode this is the weight itself. In vector mode with
    `softmax="time"` each unit's weights sum to 1 over the words, and so do their means: the number is a word's share of
    the review's vector, averaged over the dimensions. With `softmax="last"` the number has no meaning, because that
    softmax does not compare words: it is 1 at every step in scalar mode and 1 / units in vector mode.
    """
    return keras.ops.mean(weights, axis=-1)
