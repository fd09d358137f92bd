"""Attention, seen: what node `Explainer` found, for people to look at."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from imdb_core import features
from imdb_core.modes import MODES
from pipeline.history.runs import PastRun
from pipeline.report.faithfulness import in_words
from pipeline.report.figures import attention_plots
from serving.client.results import Explanation
from serving.client.shading import Piece, shaded

FILE: Final = "explanations.json"

_KINDS: Final = {
    "right": "both modes are right",
    "wrong": "both modes are wrong",
    "disagreement": "the modes disagree",
}
# Weights are means of float32 numbers: equal ones come out as equal only so far.
_ROUNDING: Final = 1e-5
_STRONGEST: Final = 10
_SHOWN_WORDS: Final = 20
# Below this a shade cannot be seen.
_FAINTEST: Final = 0.02
# The shade of all words where they weigh the same.
_EVEN: Final = 0.25


@dataclass(frozen=True)
class Word:
    """A piece of a shaded review.

    Attributes:
        piece: its text and share of the attention.
        strength: of its shade, 0 to 1.
        strongest: whether it is one of the few that the keyboard stops at.
    """

    piece: Piece
    strength: float
    strongest: bool


@dataclass(frozen=True)
class Dimension:
    """One of the dimensions that weigh words each by itself.

    Attributes:
        number: of the dimension.
        share: of all dimensions' contribution to the answer.
        cells: word, weight and strength from 0 to 1, and place, of what can be seen.
        length: number of words, seen or not.
        top: the three words that weigh most.
    """

    number: int
    share: float
    cells: list[tuple[str, float, float, int]]
    length: int
    top: list[str]


@dataclass(frozen=True)
class Reading:
    """A review as one mode reads it.

    Attributes:
        probability: of the sentiment it says.
        label: that sentiment.
        words: all pieces of the review.
        strongest: words and weights, the greatest first.
        even: whether all words weigh the same.
        dimensions: of vector mode.
    """

    probability: float
    label: str
    words: list[Word]
    strongest: list[tuple[str, float]]
    even: bool
    dimensions: list[Dimension]


@dataclass(frozen=True)
class Example:
    """A review as both modes read it.

    Attributes:
        kind: why it is shown, in words.
        sentiment: what it is.
        rating: in stars; None where the source has none.
        readings: by mode.
    """

    kind: str
    sentiment: str
    rating: int | None
    readings: Mapping[str, Reading]


@dataclass(frozen=True)
class Attention:
    """All that the page says of attention.

    Attributes:
        reviews: number of test reviews that the aggregates are over.
        test_reviews: number that there are.
        examples: the shaded reviews.
        words: by mode, the words that draw most attention.
        entropy: by mode, its mean: 0 is all on one word, 1 all words alike.
        findings: what the faithfulness test shows, one sentence a mode.
        tested: number of reviews in that test; 0 where it was not made.
        figures: pictures by name.
    """

    reviews: int
    test_reviews: int
    examples: list[Example]
    words: Mapping[str, Sequence[Mapping[str, Any]]]
    entropy: Mapping[str, float]
    findings: list[str]
    tested: int
    figures: Mapping[str, Markup]


def describe_attention(run: PastRun) -> Attention | None:
    """Describes what the Explainer of a run found; None where the run has none.

    Args:
        run: a past one.
    """
    outputs = run.nodes["Explainer"].outputs if "Explainer" in run.nodes else {}
    files = [Path(artifact.uri, FILE) for artifacts in outputs.values() for artifact in artifacts]
    file = next((file for file in files if file.is_file()), None)
    return read_attention(json.loads(file.read_text("utf-8"))) if file else None


def read_attention(found: Mapping[str, Any]) -> Attention:
    """Lays out what an Explainer found.

    Args:
        found: its `explanations.json`.
    """
    modes: dict[str, Any] = {mode: found["modes"][mode] for mode in MODES}
    faithfulness = {mode: values["faithfulness"] for mode, values in modes.items()}
    figures = {
        "position": attention_plots.position_plot({mode: values["position"] for mode, values in modes.items()}),
        "entropy": attention_plots.entropy_plot({mode: values["entropy"] for mode, values in modes.items()}),
    }
    for kind in attention_plots.FAITHFULNESS:
        for mode in MODES:
            figures[f"{kind}_{mode}"] = attention_plots.faithfulness_plot(kind, mode, faithfulness)
    figures["flips"] = attention_plots.flips_plot(faithfulness)
    return Attention(
        reviews=found["reviews"],
        test_reviews=found["test_reviews"],
        examples=[_example(example) for example in found["examples"]],
        words={mode: values["words"][:_SHOWN_WORDS] for mode, values in modes.items()},
        entropy={mode: values["entropy"]["mean"] for mode, values in modes.items()},
        findings=[in_words(mode, values) for mode, values in faithfulness.items()],
        tested=max(values["reviews"] for values in faithfulness.values()),
        figures=figures,
    )


def _example(example: Mapping[str, Any]) -> Example:
    # On one scale, so that a mode that spreads its attention looks as pale as it is.
    greatest = max(max(_shares(example["modes"][mode]["weights"]), default=0.0) for mode in MODES)
    return Example(
        kind=_KINDS.get(example["kind"], example["kind"]),
        sentiment=_sentiment(example["label"]),
        rating=example.get("rating"),
        readings={mode: _reading(example["text"], example["modes"][mode], greatest) for mode in MODES},
    )


def _reading(text: str, answer: Mapping[str, Any], greatest: float) -> Reading:
    positive, label = answer["probability"], _sentiment(answer["label"])
    probability = positive if label == features.SENTIMENTS[features.POSITIVE] else 1 - positive
    tokens, weights = answer["tokens"], _shares(answer["weights"])
    pieces = shaded(Explanation(text, label, probability, {}, None, tokens, weights))
    ranked = sorted((piece.attention for piece in pieces if piece.attention is not None), reverse=True)
    least = ranked[_STRONGEST - 1] if len(ranked) >= _STRONGEST else 0.0
    even = bool(ranked) and ranked[0] - ranked[-1] < _ROUNDING * ranked[0]
    strongest = sorted(zip(tokens, weights, strict=True), key=lambda pair: -pair[1])[:_STRONGEST]
    return Reading(
        probability=probability,
        label=label,
        words=[
            Word(
                piece,
                # Squared: differences among small weights are seen, and their order stays.
                strength=_EVEN if even else ((piece.attention or 0.0) / (greatest or 1.0)) ** 2,
                strongest=not even and piece.attention is not None and piece.attention >= least,
            )
            for piece in pieces
        ],
        strongest=[] if even else strongest,
        even=even,
        dimensions=[_dimension(tokens, dimension) for dimension in answer.get("dimensions", ())],
    )


def _dimension(tokens: Sequence[str], dimension: Mapping[str, Any]) -> Dimension:
    weights = dimension["weights"]
    greatest = max(weights, default=0.0) or 1.0
    cells = [
        (token, weight, weight / greatest, place)
        for place, (token, weight) in enumerate(zip(tokens, weights, strict=True))
        if weight / greatest >= _FAINTEST
    ]
    top = sorted(cells, key=lambda cell: -cell[1])[:3]
    return Dimension(dimension["dimension"], dimension["share"], cells, len(tokens), [cell[0] for cell in top])


def _shares(weights: Sequence[float]) -> list[float]:
    """Weights that do not compete across words, as those of preset `blog`, do not sum to 1 by themselves."""
    total = sum(weights) or 1.0
    return [weight / total for weight in weights]


def _sentiment(label: Any) -> str:
    """A sentiment by its name or its number."""
    return features.SENTIMENTS[label] if isinstance(label, int) else str(label)
