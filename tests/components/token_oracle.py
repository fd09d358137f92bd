"""The token rules of the design, section 3, in plain Python; all but the normalization is independent of the code."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterable, Sequence

from hypothesis import strategies as st

from imdb_core.normalization import normalized

SEPARATORS = string.punctuation.replace("'", "")
BREAKS = ("<br />", "<br>", "<BR/>", "< Br / >", "</br>", "<br\nclear='all'>", "<bR\u3000/>", "<br/class=x>")
NO_BREAKS = ("<b>", "<brr>", "< b r >", "<br", "br />", "<br <i>", "<\\br>", "<br\0>", "<br'>", "<//br>")


def words_of(review: bytes, *, normalize: bool = True) -> list[str]:
    text = review.decode("utf-8", errors="replace")
    if normalize:
        text = normalized(text).text  # has tests of its own
    lowered = without_breaks(text.replace("\0", "\ufffd")).lower()
    return "".join(" " if character in SEPARATORS else character for character in lowered).split()


def without_breaks(text: str) -> str:
    before, *tags = text.split("<")
    for tag in tags:
        inside, closed, after = tag.partition(">")
        before += f" {after}" if closed and is_break(inside) else f"<{tag}"
    return before


def is_break(inside: str) -> bool:
    name = inside.strip().removeprefix("/").strip()
    return name[:2].lower() == "br" and (len(name) == 2 or name[2] == "/" or name[2].isspace())


def vocabulary_of(reviews: Iterable[bytes], vocabulary_size: int) -> list[str]:
    """Sorts words by falling frequency, then by falling bytes, as TF Transform documents."""
    counts = Counter(word for review in reviews for word in words_of(review))
    by_bytes = sorted(counts, key=str.encode, reverse=True)
    return sorted(by_bytes, key=lambda word: -counts[word])[: vocabulary_size - 4]


def token_ids_of(review: bytes, vocabulary: Sequence[str], max_tokens: int) -> list[int]:
    ids = {word: place + 4 for place, word in enumerate(vocabulary)}
    kept = [1, *(ids.get(word, 2) for word in words_of(review))][-max_tokens:]
    return kept + [0] * (max_tokens - len(kept))


def tokens_of(review: bytes, max_tokens: int, *, normalize: bool = True) -> list[bytes]:
    kept = [b"[START]", *(word.encode() for word in words_of(review, normalize=normalize))][-max_tokens:]
    return kept + [b""] * (max_tokens - len(kept))


# The lower case of a capital sigma depends on its neighbours, such as an accent or a soft hyphen.
_PIECES = st.one_of(
    st.sampled_from(
        [
            "a",
            "The",
            "FILM",
            "isn't",
            "'",
            "Σ",
            "σ",
            "\u0301",
            "\u00ad",
            "İ",
            "🎬",
            "👩‍👩‍👧",
            "naïve",
            "ẞ",
            "don’t",
            "Ｗow",
        ]
    ),
    st.sampled_from(
        [" ", "\t", "\r\n", "\u00a0", "\u2028", ".", "--", "(", "<", ">", "/", "\0", "\ufeff", "—", "“", "…"]
    ),
    st.sampled_from(BREAKS + NO_BREAKS),
    st.text(max_size=20),
)
REVIEWS = st.one_of(
    st.lists(_PIECES, max_size=30).map(lambda pieces: "".join(pieces).encode()),
    st.binary(max_size=40),  # not UTF-8, mostly
)
