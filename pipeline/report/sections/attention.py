"""Shows the attention on test reviews, as node Explainer found it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from imdb_core import features
from imdb_core.modes import MODES
from pipeline.report.figures import attention_plots
from serving.client.results import Explanation
from serving.client.shading import Piece, shaded

_KINDS: Final = {
    "right": "both modes are right",
    "wrong": "both modes are wrong",
    "disagreement": "the modes disagree",
}
# Weights are means of float32 numbers; relative differences below this are rounding errors.
_ROUNDING: Final = 1e-5
_STRONGEST: Final = 10
_SHOWN_WORDS: Final = 20
# Relative weight below which a shade is invisible.
_FAINTEST: Final = 0.02
# Shade of all words if they have equal weights.
_EVEN: Final = 0.25


@dataclass(frozen=True)
class ShadedWord:
    """A piece of a shaded review.

    Attributes:
        piece: The text and its share of the attention.
        strength: Strength of the shade, 0 to 1.
        strongest: Whether it is one of the strongest words, which the keyboard reaches.
    """

    piece: Piece
    strength: float
    strongest: bool


@dataclass(frozen=True)
class DimensionWeights:
    """The weights of words in one dimension of the network's state.

    Attributes:
        number: Number of the dimension.
        share: Share of the dimension in the contributions of all dimensions to the prediction.
        cells: Word, weight, strength from 0 to 1, and position of each visible weight.
        length: Number of words, visible or not.
        top: The three words with the largest weights.
    """

    number: int
    share: float
    cells: list[tuple[str, float, float, int]]
    length: int
    top: list[str]


@dataclass(frozen=True)
class ShadedReview:
    """A review as one mode reads it.

    Attributes:
        probability: Probability of the predicted sentiment.
        label: The predicted sentiment.
        words: All pieces of the review.
        strongest: The strongest words and their weights, largest first; empty if all weights are equal.
        even: Whether all words have equal weights.
        dimensions: The strongest dimensions of the vector mode.
    """

    probability: float
    label: str
    words: list[ShadedWord]
    strongest: list[tuple[str, float]]
    even: bool
    dimensions: list[DimensionWeights]


@dataclass(frozen=True)
class ReviewExample:
    """A review as both modes read it.

    Attributes:
        kind: The reason why it is shown.
        sentiment: The labelled sentiment.
        rating: The rating in stars; None if the source has none.
        readings: The shaded review by mode.
    """

    kind: str
    sentiment: str
    rating: int | None
    readings: Mapping[str, ShadedReview]


@dataclass(frozen=True)
class AttentionSection:
    """The attention on test reviews.

    Attributes:
        reviews: Number of test reviews that the aggregates cover.
        test_reviews: Number of all test reviews.
        examples: The shaded reviews.
        words: The words with the most attention by mode.
        entropy: The mean entropy by mode: 0 if all attention is on one word, 1 if it is equal on all words.
        figures: The pictures by name.
    """

    reviews: int
    test_reviews: int
    examples: list[ReviewExample]
    words: Mapping[str, Sequence[Mapping[str, Any]]]
    entropy: Mapping[str, float]
    figures: Mapping[str, Markup]


def describe_attention(explanations: Mapping[str, Any]) -> AttentionSection:
    """Describes the attention on test reviews.

    Args:
        explanations: The Explainer's `explanations.json`.
    """
    modes: dict[str, Any] = {mode: explanations["modes"][mode] for mode in MODES}
    return AttentionSection(
        reviews=explanations["reviews"],
        test_reviews=explanations["test_reviews"],
        examples=[_example(example) for example in explanations["examples"]],
        words={mode: values["words"][:_SHOWN_WORDS] for mode, values in modes.items()},
        entropy={mode: values["entropy"]["mean"] for mode, values in modes.items()},
        figures={
            "position": attention_plots.position_plot({mode: values["position"] for mode, values in modes.items()}),
            "entropy": attention_plots.entropy_plot({mode: values["entropy"] for mode, values in modes.items()}),
        },
    )


def _example(example: Mapping[str, Any]) -> ReviewExample:
    # Both modes share one scale, so that evenly spread attention looks pale.
    greatest = max(max(_shares(example["modes"][mode]["weights"]), default=0.0) for mode in MODES)
    return ReviewExample(
        kind=_KINDS.get(example["kind"], example["kind"]),
        sentiment=_sentiment(example["label"]),
        rating=example.get("rating"),
        readings={mode: _reading(example["text"], example["modes"][mode], greatest) for mode in MODES},
    )


def _reading(text: str, answer: Mapping[str, Any], greatest: float) -> ShadedReview:
    positive, label = answer["probability"], _sentiment(answer["label"])
    probability = positive if label == features.SENTIMENTS[features.POSITIVE] else 1 - positive
    tokens, weights = answer["tokens"], _shares(answer["weights"])
    pieces = shaded(Explanation(text, label, probability, {}, None, tokens, weights))
    ranked = sorted((piece.attention for piece in pieces if piece.attention is not None), reverse=True)
    least = ranked[_STRONGEST - 1] if len(ranked) >= _STRONGEST else 0.0
    even = bool(ranked) and ranked[0] - ranked[-1] < _ROUNDING * ranked[0]
    strongest = sorted(zip(tokens, weights, strict=True), key=lambda pair: -pair[1])[:_STRONGEST]
    return ShadedReview(
        probability=probability,
        label=label,
        words=[
            ShadedWord(
                piece,
                # Squares emphasize the strongest words, and keep the order.
                strength=_EVEN if even else ((piece.attention or 0.0) / (greatest or 1.0)) ** 2,
                strongest=not even and piece.attention is not None and piece.attention >= least,
            )
            for piece in pieces
        ],
        strongest=[] if even else strongest,
        even=even,
        dimensions=[_dimension(tokens, dimension) for dimension in answer.get("dimensions", ())],
    )


def _dimension(tokens: Sequence[str], dimension: Mapping[str, Any]) -> DimensionWeights:
    weights = dimension["weights"]
    greatest = max(weights, default=0.0) or 1.0
    cells = [
        (token, weight, weight / greatest, place)
        for place, (token, weight) in enumerate(zip(tokens, weights, strict=True))
        if weight / greatest >= _FAINTEST
    ]
    top = sorted(cells, key=lambda cell: -cell[1])[:3]
    return DimensionWeights(dimension["dimension"], dimension["share"], cells, len(tokens), [cell[0] for cell in top])


def _shares(weights: Sequence[float]) -> list[float]:
    """Scales weights to a sum of 1: those of preset `blog` do not compete across words."""
    total = sum(weights) or 1.0
    return [weight / total for weight in weights]


def _sentiment(label: Any) -> str:
    """Returns a sentiment by its name or number."""
    return features.SENTIMENTS[label] if isinstance(label, int) else str(label)
