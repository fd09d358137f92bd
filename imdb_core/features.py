"""Names and numbers of reviews that every part of the system shares: features, splits, token ids and classes."""

from collections.abc import Iterable
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
# Ratings are 1 to this.
BEST_RATING: Final = 10
# Above this probability of the positive class a model predicts it, as argmax over two classes does.
DECISION_THRESHOLD: Final = 0.5


def labels_by_spelling(negative: Iterable[str], positive: Iterable[str]) -> dict[str, int]:
    """Maps each spelling of a label, in lower case, to its class."""
    classes = ((NEGATIVE, negative), (POSITIVE, positive))
    return {spelling.lower(): label for label, spellings in classes for spelling in spellings}


# The number of words up to which each slice reaches, and its name; zero-padded names sort by length.
LENGTH_BUCKETS: Final = ((50, "001-050"), (100, "051-100"), (200, "101-200"), (400, "201-400"))
LONGEST_BUCKET: Final = "401+"


def length_bucket(text: str) -> str:
    """Returns the name of a review's slice, such as `"001-050"`, by its number of words, separated by white space."""
    words = len(text.split())
    return next((name for most, name in LENGTH_BUCKETS if words <= most), LONGEST_BUCKET)
