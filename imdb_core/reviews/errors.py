"""Errors of reading reviews."""

from imdb_core.errors import SourceError


class ReviewsError(SourceError):
    """A file cannot be read as reviews; the message says what it looks like and which setting would read it."""


class NoReviewsError(ReviewsError):
    """A file is no table of reviews: its format is another one, or it has no column of texts."""


class NoLabelsError(ReviewsError):
    """A table of reviews has no column of labels."""
