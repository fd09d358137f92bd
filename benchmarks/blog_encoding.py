"""Reviews to token ids in plain Python: what `keras.datasets.imdb` and `pad_sequences` did for the blog's script.

Nothing of the pipeline's own encoding is used, so that each checks the other.
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
    """Splits a review into lower-case words; the apostrophe belongs to a word."""
    return _LINE_BREAK.sub(" ", text.lower()).translate(_PUNCTUATION).split()


def most_frequent_words(reviews: Iterable[Sequence[str]], most: int) -> list[str]:
    """Lists words by falling frequency; words of equal frequency by falling UTF-8 bytes, as TF Transform has them.

    Args:
        reviews: words of each.
        most: length of the list at most.
    """
    counts = Counter(chain.from_iterable(reviews))
    return sorted(counts, key=lambda word: (counts[word], word.encode()), reverse=True)[:most]


def encode(words: Sequence[str], ids: Mapping[str, int], max_tokens: int) -> list[int]:
    """Turns words into exactly `max_tokens` ids: a start mark, the words, zeros; of a longer review only the end.

    Args:
        words: of one review.
        ids: of known words, see `word_ids`.
        max_tokens: length of the result.
    """
    tokens = [START, *(ids.get(word, UNKNOWN) for word in words)][-max_tokens:]
    return tokens + [0] * (max_tokens - len(tokens))


def word_ids(vocabulary: Sequence[str]) -> dict[str, int]:
    """Numbers the words of a vocabulary, behind the special ids."""
    return {word: rank + SPECIAL_IDS for rank, word in enumerate(vocabulary)}


def unknown_share(texts: Iterable[str], vocabulary: Sequence[str], max_tokens: int) -> float:
    """Measures the share of out-of-vocabulary words among those that a network sees.

    Args:
        texts: reviews.
        vocabulary: known words.
        max_tokens: a network sees this many tokens of a review.

    Returns:
        Between 0 and 1; 0 where there are no words.
    """
    ids = word_ids(vocabulary)
    unknown = seen = 0
    for text in texts:
        tokens = encode(words_of(text), ids, max_tokens)
        unknown += tokens.count(UNKNOWN)
        seen += max_tokens - tokens.count(0) - tokens.count(START)
    return unknown / seen if seen else 0.0
