"""Names of the exported model's signatures and of their inputs and outputs."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from imdb_core import features

SERVING_DEFAULT: Final = "serving_default"
SERVE_TEXT: Final = "serve_text"
EXPLAIN: Final = "explain"
CLASSIFY: Final = "classify"

# The argument of `CLASSIFY`; TensorFlow Serving's Classify call requires this name.
CLASSIFY_INPUTS: Final = "inputs"


class SignatureInput(NamedTuple):
    """The only input of a signature, string `[n]`: serialized tf.Examples or UTF-8 texts."""

    name: str
    takes_examples: bool


INPUTS: Final[Mapping[str, SignatureInput]] = {
    SERVE_TEXT: SignatureInput(features.TEXT, takes_examples=False),
    EXPLAIN: SignatureInput(features.TEXT, takes_examples=False),
    SERVING_DEFAULT: SignatureInput("examples", takes_examples=True),
    CLASSIFY: SignatureInput(CLASSIFY_INPUTS, takes_examples=True),
}

# Outputs.
PROBABILITIES: Final = "probabilities"
LABEL: Final = "label"
TOKENS: Final = "tokens"
ATTENTION: Final = "attention"
KNOWN: Final = "known"
KNOWN_WORDS: Final = "known_words"
UNKNOWN_WORDS: Final = "unknown_words"
TRAINED_ON: Final = "trained_on"
CLASSES: Final = "classes"
SCORES: Final = "scores"

# What `TOKENS` holds where a review has no word.
START_TOKEN: Final = "[START]"
PADDING_TOKEN: Final = ""
