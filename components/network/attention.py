"""The attention layer: which words, and which of their hidden dimensions, make the review's vector."""

import warnings
from typing import Any, Final

import keras

from imdb_core import modes

# Far below any score a Dense layer gives, yet finite: a softmax over nothing but padding stays a number.
_MASKED_SCORE: Final = -1e9


@keras.saving.register_keras_serializable(package="imdb_attention")
class Attention(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Weighs the states of a recurrent layer and pools them over time.

    One perceptron layer scores every time step, a softmax turns scores into weights, and the weighted states are
    summed (Raffel & Ellis 2015, "Feed-forward networks with attention can solve some long-term memory problems", for
    the scalar mode with `softmax="time"` and `pooling="sum"`). The other settings are those of the blog's code.

    Masking: a masked step has weight exactly 0. A row of nothing but padding has all weights 0, and with
    `pooling="sum"` the result 0; neither it nor its gradient is ever NaN. The result has no time axis, or mixes it
    with the units, so no mask is passed on.

    Args:
        mode: `scalar` gives one weight to a time step, `vector` one to each of its units.
        softmax: axis over which weights sum to 1. `time`: steps compete, unit by unit in vector mode. `last`: the
            units of one step compete; in scalar mode there is but one, and every weight is 1.
        pooling: `sum` over time, or `flatten` of time and units.
        **kwargs: of every Keras layer.

    Call arguments:
        states: floating `[batch, time, units]`.
        mask: bool `[batch, time]`, False at padding; None masks nothing.
        return_weights: whether to return the weights too.

    Returns:
        Same dtype as `states`, `[batch, units]` (`sum`) or `[batch, time * units]` (`flatten`). With
        `return_weights`, a pair of it and the weights: float32 `[batch, time, 1]` (scalar) or `[batch, time, units]`.
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
        """Makes the perceptron layer; `states_shape` is `[batch, time, units]`."""
        units = 1 if self.mode == modes.SCALAR else states_shape[-1]
        self.score = keras.layers.Dense(units, name="score", dtype=self.dtype_policy)
        self.score.build(states_shape)

    def call(self, states: Any, mask: Any = None, return_weights: bool = False) -> Any:
        """Pools `states`; the class docstring states shapes."""
        # Sums over 200 steps need more than float16's three digits.
        scores = keras.ops.cast(self.score(states), "float32")  # [batch, time, 1 | units]
        if mask is not None:
            mask = keras.ops.expand_dims(mask, axis=-1)  # [batch, time, 1]
            scores = keras.ops.where(mask, scores, _MASKED_SCORE)
        with warnings.catch_warnings():
            # Keras warns of a softmax over a single element: it is what the blog does, and the docstring says so.
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
        """Passes no mask on: the time axis is gone."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "mode": self.mode, "softmax": self.softmax, "pooling": self.pooling}


def word_weights(weights: Any) -> Any:
    """Reduces attention weights to one number a word, for people to look at.

    The mean over the last axis. In scalar mode that is the weight itself. In vector mode with `softmax="time"` each
    unit's weights sum to 1 over the words, and so do their means: the result is the share of a word in the review's
    vector, averaged over its dimensions. With `softmax="last"` it says nothing about words, as nothing in that
    softmax compares them: it is 1 at every step in scalar mode and 1 / units in vector mode.

    Args:
        weights: floating `[batch, time, 1]` or `[batch, time, units]`.

    Returns:
        Same dtype as `weights`, `[batch, time]`.
    """
    return keras.ops.mean(weights, axis=-1)
