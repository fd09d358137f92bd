"""Generates the built-in sample: invented reviews of invented films, learnable but not perfectly.

A review depends on its split, index and seed alone, so any number of workers can generate the sample in any order.
Three things keep a model's accuracy below 1.0: reviews with a rating near the middle mix praise and blame, negation
and contrast use the words of the other sentiment, and the tone of a few ironic reviews contradicts their label.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from components.example_gen.sample import grammar
from components.example_gen.sample.grammar import deck, derive, pick

# Probabilities, calibrated: with fewer plain opinions, or fewer short reviews, the networks of this project learn too
# little from 4,000 reviews to judge a single sentence; with fewer ironic reviews, counting words alone comes close to
# an accuracy of 1.0.
_IRONIC: Final = 0.05
_SHORT: Final = 0.6  # of the reviews, which are a few everyday sentences
_SHORT_NEGATED, _SHORT_CONTRASTED, _SHORT_JUDGED = 0.2, 0.05, 0.15  # of these sentences
_FEW: Final = 2  # sentences; with so few, two reviews could be the same
_EVERYDAY: Final = 0.2  # of the opinions of other reviews
_OPINION: Final = 0.75
_FACT: Final = 0.6  # of the sentences that are not opinions
_NEGATED, _CONTRASTED = 0.05, 0.06  # of opinions
_OPENED, _CLOSED = 0.85, 0.8
_BROKEN: Final = 0.6
_SHOUTED, _LOWERED, _MISTYPED = 0.12, 0.05, 0.2
_CONTRARIAN: Final = 0.8  # of an opposite opinion wherever the rating allows one more
_SWAPPED: Final = 0.05  # of each longer word of a mistyped review
_SHORTEST_MISTYPED: Final = 5  # letters

_BRIEF: Final = 25  # words; a shorter review has only opinions and a verdict
_PEOPLE: Final = ("director", "writer", "lead", "second", "extra")

# Rating: maximum share of opinions that contradict the verdict. As in IMDB there is no 5 and no 6.
_CONTRARY: Final = {1: 0.0, 2: 0.1, 3: 0.15, 4: 0.2, 7: 0.2, 8: 0.15, 9: 0.1, 10: 0.0}
_RATINGS: Final = ((1, 1, 1, 2, 2, 3, 3, 4, 4, 4), (7, 7, 7, 8, 8, 9, 9, 10, 10, 10))

# Numbers of words at equidistant quantiles of the length distribution, from the shortest to the longest review.
_LENGTHS: Final = (3, 40, 80, 105, 125, 145, 165, 195, 240, 340, 570)


@dataclass(frozen=True)
class SampleReview:
    """One generated review."""

    id: str  # `sample/SPLIT/INDEX`, the index with six digits
    text: str  # may contain `<br />` tags, never a line break or a tab
    label: int  # 0 negative, 1 positive
    rating: int  # 1 to 4 if negative, 7 to 10 if positive, as in IMDB


def sample_review(split: str, index: int, seed: int) -> SampleReview:
    """Generates one review, the same in every process, on every machine and in every version of Python.

    Args:
        split: Name of the split; each split has its own reviews.
        index: 0-based position in the split; even reviews are negative, odd ones positive.
        seed: Seed of the whole sample.
    """
    # Random hashes a string seed with SHA-512, whatever the value of PYTHONHASHSEED.
    rng = Random(f"{seed}/{split}/{index}")  # noqa: S311  - reviews are not secrets
    label = index % 2
    rating = _RATINGS[label][int(rng.random() * 10)]
    tone = 1 - label if rng.random() < _IRONIC else label
    film = _film(rating, rng)
    if rng.random() < _SHORT:
        sentences = list(_everyday_sentences(tone, film, rng))
    else:
        sentences = list(_sentences(tone, _CONTRARY[rating], film, rng))
    return SampleReview(f"sample/{split}/{index:06d}", _typeset(sentences, rng), label, rating)


def _film(rating: int, rng: Random) -> dict[str, str]:
    """Invents what stays the same throughout a review: the film's title, people, town and so on."""

    def word(slot: str) -> str:
        return derive(f"{{{slot}}}", 0, {}, rng)

    film = {role: f"{word('given')} {word('surname').capitalize()}" for role in _PEOPLE}
    film |= {"hero": word("job"), "rival": word("job"), "prop": word("thing"), "genre": word("genre")}
    film |= {"town": word("townname").capitalize(), "year": str(1931 + int(rng.random() * 85)), "rating": str(rating)}
    film["film"] = derive(pick(grammar.TITLES, rng), 0, film, rng)
    return film


def _everyday_sentences(tone: int, film: Mapping[str, str], rng: Random) -> Iterator[str]:
    """Yields two to five sentences, all of the given tone; two are not enough without the film's title."""
    plain, negated = deck(grammar.EVERYDAY, rng), deck(grammar.EVERYDAY_NEGATED[tone], rng)
    contrasted, verdicts = deck(grammar.EVERYDAY_CONTRASTED, rng), deck(grammar.EVERYDAY_VERDICTS[tone], rng)
    count = 2 + int(rng.random() * 4)
    if count == _FEW:
        yield derive("{film}.", tone, film, rng)
    for _ in range(count):
        draw = rng.random()
        templates = plain
        for share, others in ((_SHORT_NEGATED, negated), (_SHORT_CONTRASTED, contrasted), (_SHORT_JUDGED, verdicts)):
            if 0 <= draw < share:
                templates = others
            draw -= share
        yield derive(next(templates), tone, film, rng)


def _sentences(tone: int, contrary_share: float, film: Mapping[str, str], rng: Random) -> Iterator[str]:
    """Yields the sentences of one review; most opinions have the given tone, the verdict always has it."""
    words_left = _length(rng)
    brief = words_left < _BRIEF
    if not brief and rng.random() < _OPENED:
        yield derive(pick(grammar.OPENINGS, rng), tone, film, rng)
    facts, fillers = deck(grammar.FACTS, rng), deck(grammar.FILLERS, rng)
    plain, negated, contrasted = deck(grammar.PLAIN, rng), deck(grammar.NEGATED, rng), deck(grammar.CONTRASTED, rng)
    everyday = deck(grammar.EVERYDAY, rng)
    opinions = contrary = 0
    while words_left > 0:
        if brief or rng.random() < _OPINION:
            opinions += 1
            against = contrary + 1 <= contrary_share * opinions and rng.random() < _CONTRARIAN
            contrary += against
            draw = rng.random()
            templates = negated if draw < _NEGATED else contrasted if draw < _NEGATED + _CONTRASTED else plain
            if templates is plain and rng.random() < _EVERYDAY:
                templates = everyday
            sentence = derive(next(templates), 1 - tone if against else tone, film, rng)
        else:
            sentence = derive(next(facts if rng.random() < _FACT else fillers), tone, film, rng)
        words_left -= sentence.count(" ") + 1
        yield sentence
    if brief or rng.random() < _CLOSED:
        yield derive(pick(grammar.VERDICTS[tone], rng), tone, film, rng)


def _length(rng: Random) -> int:
    """Draws a number of words by linear interpolation, which gives the same result on every platform."""
    position = rng.random() * (len(_LENGTHS) - 1)
    step = int(position)
    return int(_LENGTHS[step] + (position - step) * (_LENGTHS[step + 1] - _LENGTHS[step]))


def _typeset(sentences: list[str], rng: Random) -> str:
    """Joins sentences as people type them: with paragraphs, shouting, missing capitals and typing errors."""
    sentences = [sentence[0].upper() + sentence[1:] for sentence in sentences]
    if rng.random() < _SHOUTED:
        loud = int(rng.random() * len(sentences))
        sentences[loud] = sentences[loud].upper()
    if rng.random() < _LOWERED:
        sentences = [sentence.lower() for sentence in sentences]
    if rng.random() < _MISTYPED:
        sentences = [" ".join(_mistype(word, rng) for word in sentence.split(" ")) for sentence in sentences]
    paragraph_end = 0.25 if rng.random() < _BROKEN else 0.0
    text = sentences[0]
    for sentence in sentences[1:]:
        text += ("<br /><br />" if rng.random() < paragraph_end else " ") + sentence
    return text


def _mistype(word: str, rng: Random) -> str:
    """Swaps two inner letters of some words."""
    if len(word) < _SHORTEST_MISTYPED or rng.random() > _SWAPPED:
        return word
    at = 1 + int(rng.random() * (len(word) - 3))
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
