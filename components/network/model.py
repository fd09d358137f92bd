"""The network, on one screen."""

from typing import Final

import keras

from components.network.attention import Attention, word_weights
from components.network.word_dropout import WordDropout
from imdb_core import features, signatures
from imdb_core.modes import Mode
from imdb_core.settings import ModelSettings, TransformSettings

EMBEDDING: Final = "embedding"
_ATTENTION: Final = "attention"


def build_model(model: ModelSettings, transform: TransformSettings, mode: Mode) -> keras.Model:
    """Builds the network, with initial weights from Keras's global seed.

    Args:
        model: its layers.
        transform: size of the vocabulary and length of a review.
        mode: of the attention.

    Returns:
        `token_ids` int64 `[batch, max_tokens]` → probabilities float32 `[batch, 2]`, negative first; not compiled.
    """
    token_ids = keras.Input([transform.max_tokens], dtype="int64", name=features.TOKEN_IDS)
    words = WordDropout(model.word_dropout, name="word_dropout")(token_ids) if model.word_dropout else token_ids

    # [batch, time, embedding_dim]
    vectors = keras.layers.Embedding(transform.vocabulary_size, model.embedding_dim, name=EMBEDDING)(words)
    if model.embedding_dropout:
        vectors = keras.layers.SpatialDropout1D(model.embedding_dropout, name="embedding_dropout")(vectors)

    # The defaults of GRU are those that cuDNN computes. No mask: cuDNN refuses rows that are masked altogether, and
    # as padding comes last it changes no state before it.
    states = keras.layers.GRU(model.gru_units, return_sequences=True, name="gru")(vectors)  # [batch, time, units]
    is_token = keras.ops.not_equal(token_ids, features.PADDING_ID) if model.mask else None
    # The weights are always an output, so that `explaining_model` finds those that made the probabilities.
    hidden, _ = Attention(mode, model.softmax, model.pooling, name=_ATTENTION)(
        states, mask=is_token, return_weights=True
    )  # [batch, units], or [batch, time * units]

    if model.dropout:
        hidden = keras.layers.Dropout(model.dropout, name="dropout_before_dense")(hidden)
    hidden = keras.layers.Dense(model.dense_units, activation="relu", name="dense")(hidden)
    if model.dropout:
        hidden = keras.layers.Dropout(model.dropout, name="dropout_after_dense")(hidden)
    probabilities = keras.layers.Dense(
        len(features.SENTIMENTS), activation="softmax", dtype="float32", name=signatures.PROBABILITIES
    )(hidden)
    return keras.Model(token_ids, probabilities, name=f"{_ATTENTION}_{mode}")


def explaining_model(model: keras.Model) -> keras.Model:
    """Opens a network's attention.

    Args:
        model: from `build_model`; its layers are shared, not copied.

    Returns:
        `token_ids` int64 `[batch, max_tokens]` → `[probabilities, weights]`: float32 `[batch, 2]`, and one weight a
        token float32 `[batch, max_tokens]`, see `components.network.attention.word_weights`. Call it with
        `training=False`.
    """
    _, weights = model.get_layer(_ATTENTION).output
    return keras.Model(model.input, [model.output, word_weights(weights)], name=f"{model.name}_explained")
