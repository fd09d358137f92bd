"""Sentences that show where a model fails, and how many of them it judges right.

Every kind has as many positive as negative sentences, so that a model that always gives one answer is right for half of
them. They were written for this purpose and are few: they show a weakness, and prove no strength.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from imdb_core.features import NEGATIVE, POSITIVE
from imdb_core.stats.intervals import Estimate, wilson
from imdb_core.stats.scores import is_right

# Maps `n` texts to the probabilities of the positive class, float `[n]`.
Positive = Callable[[Sequence[str]], npt.NDArray[Any]]

_POSITIVE: Final[Mapping[str, tuple[str, ...]]] = {
    "short texts": (
        "Great film.",
        "Loved it!",
        "Wonderful.",
        "A joy to watch.",
        "Brilliant acting.",
        "Highly recommended.",
    ),
    "negation": (
        "This film is not bad at all.",
        "I have nothing to complain about, and I was never bored.",
        "It is not a waste of time, and the ending does not disappoint.",
        "No weak scene, no wrong note, no dull minute.",
        "I could not find a single fault in the acting.",
        "You will not regret the ticket; I did not want it to end.",
    ),
    "sarcasm": (
        "I hated every second of it, because every second brought the end nearer. Give me ten more!",
        "Terrible news for my sleep: this thriller is that gripping.",
        "What a failure: I wanted to leave early and could not move from my seat.",
        "Shame on the director for making me weep in public with a story this lovely.",
        "A crime, really, that only forty people saw this gem with me.",
        "My only complaint, and it is an awful one: it stops after two hours.",
    ),
    "other languages": (
        "Ein wunderbarer Film, großartig gespielt und nie langweilig.",
        "Un film magnifique, drôle et émouvant du début à la fin.",
        "Una película maravillosa, con actores excelentes y un guion brillante.",
        "Un film bellissimo, recitato benissimo e pieno di poesia.",
        "Een prachtige film met geweldige acteurs en een sterk einde.",
        "Um filme lindo, com ótimos atores e uma história comovente.",
    ),
}
_NEGATIVE: Final[Mapping[str, tuple[str, ...]]] = {
    "short texts": (
        "Awful film.",
        "Hated it!",
        "Terrible.",
        "A pain to watch.",
        "Wooden acting.",
        "Avoid it.",
    ),
    "negation": (
        "This film is not good at all.",
        "I have nothing to praise, and I was never amused.",
        "It is not worth your time, and the ending does not satisfy.",
        "No great scene, no funny line, no lovely minute.",
        "I could not find a single reason to like the acting.",
        "You will not enjoy it; I did not want to stay.",
    ),
    "sarcasm": (
        "Oh, wonderful, another two hours of a hero who stares at rain. I loved looking at my watch.",
        "Brilliant idea to spend the whole budget on explosions and nothing on a story.",
        "A masterpiece, if you enjoy the sound of people leaving the cinema.",
        "The best part was the exit sign, beautifully lit and full of promise.",
        "Great film for insomniacs: I have not slept this well in years.",
        "Congratulations to the writer for finding, against all odds, the most delightful way to say nothing.",
    ),
    "other languages": (
        "Ein furchtbarer Film, schlecht gespielt und sterbenslangweilig.",
        "Un film raté, ennuyeux et mal joué du début à la fin.",
        "Una película horrible, con actores pésimos y un guion absurdo.",
        "Un film orribile, recitato malissimo e pieno di noia.",
        "Een vreselijke film met slechte acteurs en een zwak einde.",
        "Um filme péssimo, com atores ruins e uma história sem graça.",
    ),
}
KINDS: Final = tuple(_POSITIVE)


@dataclass(frozen=True)
class Probed:
    """How a model did on one kind of sentences."""

    kind: str
    right: int
    sentences: int
    accuracy: Estimate
    wrong: tuple[str, ...]  # the sentences that it judged wrong


def sentences(kind: str) -> tuple[tuple[str, int], ...]:
    """Returns the sentences of a kind, each with its label."""
    return (*((text, POSITIVE) for text in _POSITIVE[kind]), *((text, NEGATIVE) for text in _NEGATIVE[kind]))


def probe(positive: Positive, confidence: float) -> tuple[Probed, ...]:
    """Asks a model about the sentences of every kind; the intervals are Wilson's at this confidence."""
    return tuple(_probed(kind, positive, confidence) for kind in KINDS)


def _probed(kind: str, positive: Positive, confidence: float) -> Probed:
    texts, labels = zip(*sentences(kind), strict=True)
    right = is_right(np.array(labels), positive(texts))
    wrong = tuple(text for text, judged_right in zip(texts, right, strict=True) if not judged_right)
    count = int(right.sum())
    return Probed(kind, count, len(texts), wilson(count, len(texts), confidence), wrong)
