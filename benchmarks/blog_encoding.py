"""Encodes reviews as token ids in plain Python, as `keras.datasets.imdb` and `pad_sequences` did for the blog's script.

It shares no code with the pipeline's encoding, so that each checks the other.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Final

SPECIAL_IDS: Final = 4  # padding, start, out of vocabulary, unused
START: Final = 1
UNKNOWN: Final = 2

_LINE_BREAK: Final = re.compile(r"<\s*/?\s*br(\s[^<>]*)?/?\s*>")
_PUNCTUATION: Final = str.maketrans(dict.fromkeys('!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~', " "))


def words_of(text: str) -> list[str]:
    """Splits a review into lower-case words, which may contain apostrophes."""
    return _LINE_BREAK.sub(" ", text.lower()).translate(_PUNCTUATION).split()


def most_frequent_words(reviews: Iterable[Sequence[str]], most: int) -> list[str]:
    """Lists words by falling frequency, and those of equal frequency by falling UTF-8 bytes, as TF Transform does."""
    counts = Counter(chain.from_iterable(reviews))
    return sorted(counts, key=lambda word: (counts[word], word.encode()), reverse=True)[:most]


def encode(words: Sequence[str], ids: Mapping[str, int], max_tokens: int) -> list[int]:
    """Encodes words as a start mark, their ids and zeros, `max_tokens` in all; a longer review is cut to its end."""
    tokens = [START, *(ids.get(word, UNKNOWN) for word in words)][-max_tokens:]
    return tokens + [0] * (max_tokens - len(tokens))


def word_ids(vocabulary: Sequence[str]) -> dict[str, int]:
    """Numbers the words of a vocabulary, from the first id after the special ones."""
    return {word: rank + SPECIAL_IDS for rank, word in enumerate(vocabulary)}


def unknown_share(texts: Iterable[str], vocabulary: Sequence[str], max_tokens: int) -> float:
    """Measures the share, 0 to 1, of out-of-vocabulary words among the words that a network reads; 0 without words."""
    ids = word_ids(vocabulary)
    unknown = seen = 0
    for text in texts:
        tokens = encode(words_of(text), ids, max_tokens)
        unknown += tokens.count(UNKNOWN)
        seen += max_tokens - tokens.count(0) - tokens.count(START)
    return unknown / seen if seen else 0.0
