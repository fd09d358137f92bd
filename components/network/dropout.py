"""Dropout whose draws do not depend on how a batch is shared between devices."""

from collections.abc import Sequence
from typing import Any

import keras

from components.network import draws


@keras.saving.register_keras_serializable(package="imdb_attention")
class Dropout(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Sets random values to 0 during training and scales the others, so that their expected sum stays the same.

    It is Keras's layer of the same name with the draws of `components.network.draws`. Outside training the layer
    changes nothing. Source: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from
    overfitting"; for draws that time steps share, Tompson et al. 2015, "Efficient object localization using
    convolutional networks".

    Args:
        rate: Probability that a value is dropped, 0 to 1.
        shared_axes: Axes, counted from 0, along which all values share one draw.
        seed: Seed of the random draws outside `draws.drawing`; None takes one from Python's `random`, which
            `keras.utils.set_random_seed` seeds.
        **kwargs: Arguments of every Keras layer.

    Call arguments:
        inputs: floating, of any shape whose first axis is that of the rows.
        training: Whether to drop values.

    Returns:
        Same shape and dtype as `inputs`.
    """

    def __init__(self, rate: float, shared_axes: Sequence[int] = (), seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"Dropout got rate={rate!r}; use a probability, from 0 to less than 1")
        self.rate = rate
        self.shared_axes = list(shared_axes)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Drops values; see the class docstring for shapes."""
        if not training or not self.rate:
            return inputs
        shape = [1 if axis in self.shared_axes else size for axis, size in enumerate(keras.ops.shape(inputs))]
        is_kept = draws.uniform(shape, self.seed_generator) >= self.rate
        return inputs * keras.ops.cast(is_kept, inputs.dtype) / (1.0 - self.rate)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "rate": self.rate, "shared_axes": self.shared_axes, "seed": self.seed}
