"""Names that every part of the system shares; the bottom layer, it imports nothing of ours."""

from typing import Final, Literal

# Features of the tf.Examples that ImdbExampleGen writes.
TEXT: Final = "text"
LABEL: Final = "label"
RATING: Final = "rating"
ID: Final = "id"
LENGTH_BUCKET: Final = "length_bucket"

# The feature that Transform adds to `label`.
TOKEN_IDS: Final = "token_ids"

# Splits.
TRAIN: Final = "train"
EVAL: Final = "eval"
TEST: Final = "test"
SPLITS: Final = (TRAIN, EVAL, TEST)

# Token ids, as in keras.datasets.imdb.
PADDING_ID: Final = 0
START_ID: Final = 1
OOV_ID: Final = 2
UNUSED_ID: Final = 3
FIRST_WORD_ID: Final = 4

# The vocabulary file of the Transform graph: one word a line, most frequent first.
VOCABULARY: Final = "vocabulary"

# What is logged here reaches the terminal; the rest goes to the log file.
PROGRESS_LOGGER: Final = "imdb_attention.progress"

NEGATIVE: Final = 0
POSITIVE: Final = 1
SENTIMENTS: Final = ("negative", "positive")

Mode = Literal["scalar", "vector"]
SCALAR: Final = "scalar"
VECTOR: Final = "vector"
MODES: Final[tuple[Mode, ...]] = (SCALAR, VECTOR)

# Signatures of the exported SavedModel and their outputs.
SERVING_DEFAULT: Final = "serving_default"
SERVE_TEXT: Final = "serve_text"
EXPLAIN: Final = "explain"
CLASSIFY: Final = "classify"
PROBABILITIES: Final = "probabilities"
TOKENS: Final = "tokens"
ATTENTION: Final = "attention"

# The Keras model as it was trained, beside the folders of TFX's own formats in a Model artifact.
TRAINED_MODEL: Final = "Format-Keras/model.keras"

LENGTH_BUCKETS: Final = ((50, "001-050"), (100, "051-100"), (200, "101-200"), (400, "201-400"))
LONGEST_BUCKET: Final = "401+"


def length_bucket(text: str) -> str:
    """Names the slice of a review by its number of white-space separated words.

    Args:
        text: the review.

    Returns:
        `"001-050"`, `"051-100"`, `"101-200"`, `"201-400"` or `"401+"`; zero-padded, so that names sort by length.
    """
    words = len(text.split())
    return next((name for most, name in LENGTH_BUCKETS if words <= most), LONGEST_BUCKET)
