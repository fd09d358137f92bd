"""A network with hand-made weights: one word decides, and gets all the attention."""

import keras
import numpy as np

from components.network.model import build_model
from imdb_core.settings import ModelSettings, TransformSettings

DECISIVE = 7
MAX_TOKENS = 30


def decisive_network() -> keras.Model:
    """Builds a network whose state and attention are 1 at the decisive word and 0 elsewhere."""
    settings = ModelSettings(
        embedding_dim=1, gru_units=1, dense_units=1, word_dropout=0.0, embedding_dropout=0.0, dropout=0.0
    )
    network = build_model(settings, TransformSettings(vocabulary_size=100, max_tokens=MAX_TOKENS), "scalar")
    embedding = np.zeros((100, 1))
    embedding[DECISIVE] = 1.0
    # Update gate, reset gate and candidate: nothing of the previous state is kept.
    gru = [np.array([[0.0, 0.0, 9.0]]), np.zeros((1, 3)), np.array([[-30.0, 0.0, 0.0], [0.0, 0.0, 0.0]])]
    for name, weights in {
        "embedding": [embedding],
        "gru": gru,
        "attention": [np.array([[20.0]]), np.zeros(1)],
        "dense": [np.ones((1, 1)), np.zeros(1)],
        "probabilities": [np.array([[-4.0, 4.0]]), np.array([2.0, -2.0])],
    }.items():
        network.get_layer(name).set_weights(weights)
    return network
