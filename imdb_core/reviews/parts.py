"""Decides by its path whether a file is read, and which split and label it has."""

import functools
import re
from collections.abc import Callable
from typing import Final, NamedTuple

from imdb_core.reviews.rows import LeftOutReason

_CLUTTER: Final = {"__macosx", "thumbs.db", "desktop.ini"}
_UNLABELLED: Final = {"unsup", "unsupervised", "unlabeled", "unlabelled"}
_LABELS: Final = {"pos": "pos", "positive": "pos", "neg": "neg", "negative": "neg"}
_WORD: Final = re.compile(r"[^\W_]+")
_REVIEW: Final = re.compile(r"(.+)\.txt", re.IGNORECASE | re.DOTALL)
_RATED: Final = re.compile(r"\d+_(\d+)")


class Part(NamedTuple):
    """What the path of a file says about it: its split, if any, and why it is left out, if it is."""

    split: str | None = None
    left_out: LeftOutReason | None = None


# Receives the path of a file below the root of a source, or of a member inside its archive.
PartOf = Callable[[str], Part]


class LabelledText(NamedTuple):
    """A text file in a folder that is a label, as in aclImdb (Maas et al. 2011)."""

    id: str
    label: str  # `pos` or `neg`
    rating: str | None  # from a name such as `12_9.txt`


def any_part(path: str) -> Part:
    """Leaves out what computers put among people's files, and nothing else."""
    parts = path.split("/")
    clutter = any(part.lower() in _CLUTTER or (part.startswith(".") and part.strip(".")) for part in parts)
    return Part(left_out="hidden") if clutter else Part()


@functools.lru_cache
def words_of(part: str) -> frozenset[str]:
    """Returns the words of a folder's or file's name, in lower case; `train-00000-of-00003` has `train` and `of`."""
    return frozenset(word.lower() for word in _WORD.findall(part))


def is_unlabelled(path: str) -> bool:
    """Returns whether a path says that its reviews have no labels."""
    return any(words_of(part) & _UNLABELLED for part in path.split("/"))


def labelled_text(path: str) -> LabelledText | None:
    """Returns what a path says about a review in a text file of its own; None if it is something else."""
    parts = path.split("/")
    label = _LABELS.get(parts[-2].lower()) if len(parts) > 1 else None
    named = _REVIEW.fullmatch(parts[-1])
    if label is None or named is None:
        return None
    rated = _RATED.fullmatch(named[1])
    return LabelledText("/".join([*parts[-3:-1], named[1]]), label, rated[1] if rated else None)
