"""Reviews of an exact number of words, which the server is asked about."""

import itertools
from collections.abc import Iterator
from typing import Final

from components.example_gen.sample.generate import sample_review

REVIEWS: Final = 2048
FULL_LENGTH: Final = 200  # words: a model sees no more of a review
SHORT: Final = 20
SHORTEST: Final = 10


def reviews_of(words: int, count: int = REVIEWS) -> list[bytes]:
    """Cuts the text of the built-in sample's reviews into reviews of `words` words each, in UTF-8."""
    stream = _words()
    return [" ".join(itertools.islice(stream, words)).encode() for _ in range(count)]


def _words() -> Iterator[str]:
    for index in itertools.count():
        yield from sample_review("test", index, seed=1).text.split()
