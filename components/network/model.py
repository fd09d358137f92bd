"""The network's architecture."""

from typing import Final

import keras

from components.network.attention import Attention, word_weights
from components.network.dropout import Dropout
from components.network.gru import GRU
from components.network.word_dropout import WordDropout
from imdb_core import features, signatures
from imdb_core.modes import Mode
from imdb_core.settings import ModelSettings, TransformSettings

EMBEDDING: Final = "embedding"
_ATTENTION: Final = "attention"


def build_model(model: ModelSettings, transform: TransformSettings, mode: Mode) -> keras.Model:
    """Builds the network of an attention mode, with initial weights from Keras's global seed.

    Args:
        model: Settings of the layers.
        transform: Size of the vocabulary and length of a review.
        mode: The attention mode.

    Returns:
        An uncompiled model, `token_ids` int64 `[n, time]` → probabilities float32 `[n, 2]`, negative first. If padding
        is masked, `time` may be anything from 1, because padding changes no output; otherwise it is `max_tokens`.
    """
    time = None if model.mask else transform.max_tokens
    token_ids = keras.Input([time], dtype="int64", name=features.TOKEN_IDS)
    words = WordDropout(model.word_dropout, name="word_dropout")(token_ids) if model.word_dropout else token_ids

    # [batch, time, embedding_dim]
    vectors = keras.layers.Embedding(transform.vocabulary_size, model.embedding_dim, name=EMBEDDING)(words)
    if model.embedding_dropout:
        vectors = Dropout(model.embedding_dropout, shared_axes=[1], name="embedding_dropout")(vectors)

    # Only GRU's default arguments run on cuDNN. It gets no mask, because cuDNN rejects rows that are all masked;
    # padding comes last, so it changes no earlier state.
    states = GRU(model.gru_units, return_sequences=True, name="gru")(vectors)  # [batch, time, units]
    is_token = keras.ops.not_equal(token_ids, features.PADDING_ID) if model.mask else None
    # The layer always returns its weights, so that `explaining_model` can use those behind the probabilities.
    hidden, _ = Attention(mode, model.softmax, model.pooling, name=_ATTENTION)(
        states, mask=is_token, return_weights=True
    )  # [batch, units], or [batch, time * units]

    if model.dropout:
        hidden = Dropout(model.dropout, name="dropout_before_dense")(hidden)
    hidden = keras.layers.Dense(model.dense_units, activation="relu", name="dense")(hidden)
    if model.dropout:
        hidden = Dropout(model.dropout, name="dropout_after_dense")(hidden)
    probabilities = keras.layers.Dense(
        len(features.SENTIMENTS), activation="softmax", dtype="float32", name=signatures.PROBABILITIES
    )(hidden)
    return keras.Model(token_ids, probabilities, name=f"{_ATTENTION}_{mode}")


def takes_any_length(network: keras.Model) -> bool:
    """Returns whether padding changes no output of a network from `build_model`, so that a batch needs none."""
    return network.input_shape[1] is None


def explaining_model(model: keras.Model) -> keras.Model:
    """Builds a model that returns a network's attention weights besides its probabilities.

    Args:
        model: A network from `build_model`; both models share its layers.

    Returns:
        A model to call with `training=False`: `token_ids` int64 `[n, time]` → `[probabilities, weights]`, float32
        `[n, 2]` and, one weight per token (see `components.network.attention.word_weights`), float32 `[n, time]`.
    """
    _, weights = model.get_layer(_ATTENTION).output
    return keras.Model(model.input, [model.output, word_weights(weights)], name=f"{model.name}_explained")


def load_trained_model(path: str) -> keras.Model:
    """Loads a network, uncompiled, from a `.keras` file that the Trainer saved."""
    # Keras finds the classes of our layers because this module imports them.
    return keras.saving.load_model(path, compile=False)
