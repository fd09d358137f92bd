"""A review as its author wrote it, with the attention of each word."""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from imdb_core.normalization import Normalized, normalized, unchanged
from imdb_core.signatures import START_TOKEN
from imdb_core.tokens import PIECE, folded
from serving.client.results import EMPTY, NO_KNOWN_WORD, Explanation

# What attention is, and what it is not.
WHERE_IT_LOOKED: Final = "Attention shows where the model looked: not why, and not in which direction."
# What a word is that the network cannot tell from others.
UNKNOWN: Final = "not in the vocabulary"
_MEANINGS: Final = {
    EMPTY: "the review has no word, so the model has no opinion on it",
    NO_KNOWN_WORD: "the model knows no word of the review, so it has no opinion on it",
}
# A terminal would execute these characters.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclasses.dataclass(frozen=True)
class Piece:
    """A part of a review.

    Attributes:
        text: Text to show, with control characters replaced.
        attention: Attention of a word that the network reads; None for other text.
        strength: `attention` as a share of the review's greatest, 0 to 1.
        read: Whether the network reads this part. Of a long review it reads only the end.
        known: Whether the network can tell this word from others; all that its vocabulary lacks are one to it.
        effect: By how much the review without this word is less probably positive; None for what has no effect, or if
            effects were not asked for.
        weight: The size of `effect` as a share of the review's greatest, 0 to 1.
    """

    text: str
    attention: float | None = None
    strength: float = 0.0
    read: bool = True
    known: bool = True
    effect: float | None = None
    weight: float = 0.0


def printable(text: str) -> str:
    """Replaces control characters, except tabs and line feeds."""
    return _CONTROL.sub("\ufffd", text)


def shaded(explanation: Explanation) -> list[Piece]:
    """Splits a review into pieces. The first marks the start of the review, if the network reads it.

    If the network's tokens are not the words of the review, because its tokenizer differs, the pieces are the tokens.
    """
    greatest = max(explanation.attention, default=0.0)
    effects = explanation.effects or [None] * len(explanation.tokens)
    largest = greatest_effect(explanation)
    read = [
        Piece(
            printable(token),
            weight,
            min(max(weight / greatest, 0.0), 1.0) if greatest > 0 else 0.0,
            known=known,
            effect=effect,
            weight=abs(effect) / largest if effect is not None and largest > 0 else 0.0,
        )
        for token, weight, known, effect in zip(
            explanation.tokens, explanation.attention, known_tokens(explanation), effects, strict=True
        )
    ]
    from_start = _is_from_start(explanation)
    mark, read = read[:from_start], read[from_start:]
    found = _found(explanation)
    if found is None:
        review: Iterable[Piece] = (piece for word in read for piece in (word, Piece(" ")))
    else:
        review = _laid_out(explanation.text, found, iter(read))
    return list(_joined([*(piece for start in mark for piece in (start, Piece(" "))), *review]))


def greatest_effect(explanation: Explanation) -> float:
    """Returns the size of the greatest effect of a word; 0 if effects were not asked for."""
    return max((abs(effect) for effect in explanation.effects or () if effect is not None), default=0.0)


def effects_legend(explanation: Explanation) -> str:
    """Returns what the colours of the words' effects mean."""
    return (
        "mattered: without a green word the review is less positive, without a red one more; the strongest changes the "
        f"probability by {100 * greatest_effect(explanation):.1f} points"
    )


def places(explanation: Explanation) -> list[tuple[int, int]] | None:
    """Returns where each word that the network reads begins and ends in the review: positions of characters.

    The mark of the start has no place. None if the network's tokens are not the words of the review.
    """
    found = _found(explanation)
    if found is None:
        return None
    words = [match for match in found.matches if match["word"]][found.unread :]
    return [(found.cut.starts[match.start()], found.cut.starts[match.end()]) for match in words]


class _Found(NamedTuple):
    """The network's tokens, found in a review."""

    cut: Normalized
    matches: Sequence[re.Match[str]]  # words and line breaks in the normalized text
    unread: int  # words at the start that the network does not read


def _is_from_start(explanation: Explanation) -> bool:
    return list(explanation.tokens[:1]) == [START_TOKEN]


def _found(explanation: Explanation) -> _Found | None:
    from_start = _is_from_start(explanation)
    tokens = [*map(folded, explanation.tokens[from_start:])]
    # A model does not say whether it normalizes reviews.
    for text in (unchanged(explanation.text), normalized(explanation.text)):
        matches = list(PIECE.finditer(text.text))
        words = [match["word"] for match in matches if match["word"]]
        unread = 0 if from_start else max(len(words) - len(tokens), 0)
        if [*map(folded, words[unread:])] == tokens:
            return _Found(text, matches, unread)
    return None


def known_tokens(explanation: Explanation) -> Sequence[bool]:
    """Returns whether each token is known; all are taken for known if the model does not say it."""
    return [True] * len(explanation.tokens) if explanation.known is None else explanation.known


def notes(explanation: Explanation, pieces: Iterable[Piece]) -> list[str]:
    """Returns notes for the reader of an explanation and the pieces that `shaded` made of it."""
    found = [_MEANINGS[explanation.notice]] if explanation.notice else []
    if explanation.unknown_words:
        count = explanation.unknown_words + (explanation.known_words or 0)
        found.append(f"underlined: {UNKNOWN} ({explanation.unknown_words} of {count} words)")
    if not all(piece.read for piece in pieces):
        found.append(f"the network reads the last {len(explanation.tokens)} words only")
    if explanation.model_version is not None:
        found.append(f"model version {explanation.model_version}")
    return found


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Makes one piece of neighbours that the network does not read: a long review has many of them."""
    for read, together in groupby(pieces, lambda piece: piece.read):
        if read:
            yield from together
        else:
            yield Piece("".join(piece.text for piece in together), read=False)


def _laid_out(text: str, found: _Found, read: Iterator[Piece]) -> Iterator[Piece]:
    """Lays the words that were found in the normalized text over the original."""
    cut, matches, unread = found
    end = 0
    for match in matches:
        start = cut.starts[match.start()]
        if start > end:
            yield Piece(printable(text[end:start]), read=unread == 0)
        end = cut.starts[match.end()]
        if match["line_break"]:
            yield Piece("\n", read=unread == 0)
        elif unread:
            unread -= 1
            yield Piece(printable(text[start:end]), read=False)
        else:
            yield dataclasses.replace(next(read), text=printable(text[start:end]))
    if end < len(text):
        yield Piece(printable(text[end:]))
