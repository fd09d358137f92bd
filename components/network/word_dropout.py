"""A dropout layer for whole words."""

from typing import Any

import keras

from components.network import draws
from imdb_core import features


@keras.saving.register_keras_serializable(package="imdb_attention")
class WordDropout(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Replaces random words with the out-of-vocabulary id during training, so that no single word decides.

    Padding, the start mark and out-of-vocabulary words stay unchanged. Outside training the layer changes nothing.
    Source: Iyyer et al. 2015, "Deep unordered composition rivals syntactic methods for text classification", section 3.

    Args:
        rate: Probability that a word is replaced, 0 to 1.
        seed: Seed of the random draws outside `draws.drawing`; None takes one from Python's `random`, which
            `keras.utils.set_random_seed` seeds.
        **kwargs: Arguments of every Keras layer.

    Call arguments:
        token_ids: integer `[batch, time]`.
        training: Whether to replace words.

    Returns:
        Same shape and dtype as `token_ids`.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0.0 <= rate <= 1.0:
            raise ValueError(f"WordDropout got rate={rate!r}; use a probability, 0 to 1")
        self.rate = rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, token_ids: Any, training: bool = False) -> Any:
        """Replaces words; see the class docstring for shapes."""
        if not training:
            return token_ids
        drawn = draws.uniform(keras.ops.shape(token_ids), self.seed_generator) < self.rate
        dropped = keras.ops.logical_and(drawn, token_ids >= features.FIRST_WORD_ID)
        return keras.ops.where(dropped, keras.ops.cast(features.OOV_ID, token_ids.dtype), token_ids)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
