"""Names and numbers of reviews that every part of the system shares: features, splits, token ids and classes."""

from typing import Final

# Features of the tf.Examples that ImdbExampleGen writes.
TEXT: Final = "text"
LABEL: Final = "label"
RATING: Final = "rating"
ID: Final = "id"
LENGTH_BUCKET: Final = "length_bucket"

# The feature that Transform writes beside `label`.
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

# Classes.
NEGATIVE: Final = 0
POSITIVE: Final = 1
SENTIMENTS: Final = ("negative", "positive")
# Above this probability of the positive class a model predicts it, as argmax over two classes does.
DECISION_THRESHOLD: Final = 0.5

# The number of words up to which each slice reaches, and its name.
LENGTH_BUCKETS: Final = ((50, "001-050"), (100, "051-100"), (200, "101-200"), (400, "201-400"))
LONGEST_BUCKET: Final = "401+"


def length_bucket(text: str) -> str:
    """Returns the name of the slice to which a review belongs by its number of words, separated by white space.

    Args:
        text: The review.

    Returns:
        `"001-050"`, `"051-100"`, `"101-200"`, `"201-400"` or `"401+"`. Zero-padded names sort by length.
    """
    words = len(text.split())
    return next((name for most, name in LENGTH_BUCKETS if words <= most), LONGEST_BUCKET)
