"""Shows the attention on test reviews, as node Explainer found it."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from imdb_core import features
from imdb_core.modes import MODES
from imdb_core.signatures import START_TOKEN
from pipeline.report.figures.drawing import FAINT, MODE_COLORS, MODE_MARKERS, MODE_STYLES, draw, line_style
from serving.client.results import Explanation
from serving.client.shading import Piece, shaded

_KINDS: Final = {"right": "both modes are right", "wrong": "both modes are wrong", "disagreement": "the modes disagree"}
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
    """A piece of a shaded review."""

    piece: Piece  # the text and its share of the attention
    strength: float  # of the shade, 0 to 1
    strongest: bool  # the keyboard reaches it


@dataclass(frozen=True)
class DimensionWeights:
    """The weights of words in one dimension of the network's state."""

    number: int
    share: float  # in the contributions of all dimensions to the prediction
    cells: list[tuple[str, float, float, int]]  # word, weight, strength from 0 to 1 and position of each visible weight
    length: int  # number of words, visible or not
    top: list[str]  # the three words with the largest weights


@dataclass(frozen=True)
class ShadedReview:
    """A review as one mode reads it."""

    probability: float  # of the predicted sentiment, `label`
    label: str
    words: list[ShadedWord]
    strongest: list[tuple[str, float]]  # words and weights, largest first; empty if `even`
    even: bool  # all weights are equal
    dimensions: list[DimensionWeights]  # the strongest of the vector mode


@dataclass(frozen=True)
class ReviewExample:
    """A review as both modes read it."""

    kind: str  # why it is shown
    sentiment: str  # the label
    rating: int | None  # in stars; None if the source has none
    readings: Mapping[str, ShadedReview]


@dataclass(frozen=True)
class AttentionSection:
    """The attention on test reviews."""

    reviews: int  # the aggregates cover these
    test_reviews: int  # all of the split
    examples: list[ReviewExample]
    words: Mapping[str, Sequence[Mapping[str, Any]]]  # those with the most attention
    entropy: Mapping[str, float]  # mean; 0: all on one word, 1: equal on all
    figures: Mapping[str, Markup]


def describe_attention(explanations: Mapping[str, Any], vocabulary: Container[str] | None = None) -> AttentionSection:
    """Describes the attention on test reviews.

    Args:
        explanations: The Explainer's `explanations.json`.
        vocabulary: The words that the networks tell apart; None marks no word as unknown.
    """
    modes: dict[str, Any] = {mode: explanations["modes"][mode] for mode in MODES}
    return AttentionSection(
        reviews=explanations["reviews"],
        test_reviews=explanations["test_reviews"],
        examples=[_example(example, vocabulary) for example in explanations["examples"]],
        words={mode: values["words"][:_SHOWN_WORDS] for mode, values in modes.items()},
        entropy={mode: values["entropy"]["mean"] for mode, values in modes.items()},
        figures={
            "position": _position_plot({mode: values["position"] for mode, values in modes.items()}),
            "entropy": _entropy_plot({mode: values["entropy"] for mode, values in modes.items()}),
        },
    )


def _example(example: Mapping[str, Any], vocabulary: Container[str] | None) -> ReviewExample:
    # Both modes share one scale, so that evenly spread attention looks pale.
    greatest = max(max(_shares(example["modes"][mode]["weights"]), default=0.0) for mode in MODES)
    return ReviewExample(
        kind=_KINDS.get(example["kind"], example["kind"]),
        sentiment=_sentiment(example["label"]),
        rating=example.get("rating"),
        readings={mode: _reading(example["text"], example["modes"][mode], greatest, vocabulary) for mode in MODES},
    )


def _reading(text: str, answer: Mapping[str, Any], greatest: float, vocabulary: Container[str] | None) -> ShadedReview:
    positive, label = answer["probability"], _sentiment(answer["label"])
    probability = positive if label == features.SENTIMENTS[features.POSITIVE] else 1 - positive
    tokens, weights = answer["tokens"], _shares(answer["weights"])
    known = None if vocabulary is None else [token == START_TOKEN or token in vocabulary for token in tokens]
    pieces = shaded(Explanation(text, label, probability, {}, None, tokens, weights, known))
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


def _position_plot(positions: Mapping[str, Mapping[str, Sequence[float]]]) -> Markup:
    """Draws the share of the attention by tenth of a review, the `deciles` of each mode."""

    def paint(axes: Axes) -> None:
        axes.axhline(0.1, color=FAINT, linewidth=1, linestyle=":")
        for mode, position in positions.items():
            axes.plot(range(5, 100, 10), position["deciles"], marker=MODE_MARKERS[mode], **line_style(mode))
        axes.xaxis.set_major_formatter(PercentFormatter(100, decimals=0))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set(
            xlabel="position in the part of the review that is read", ylabel="share of the attention", xlim=(0, 100)
        )
        axes.set_ylim(0, 1.2 * max(0.1, *(share for position in positions.values() for share in position["deciles"])))
        axes.legend(loc="best")

    return draw("position", "Share of the attention by tenth of the review, both modes", paint)


def _entropy_plot(entropies: Mapping[str, Mapping[str, Any]]) -> Markup:
    """Draws how evenly the attention of each review is spread: the `mean` and the histogram of each mode."""
    reached = (
        edge
        for entropy in entropies.values()
        for edge, count in zip(entropy["bin_edges"], entropy["counts"], strict=False)
        if count
    )
    first = min(reached, default=0.0)

    def paint(axes: Axes) -> None:
        for mode, entropy in entropies.items():
            total = sum(entropy["counts"]) or 1
            shares = [count / total for count in entropy["counts"]]
            axes.stairs(shares, entropy["bin_edges"], linewidth=1.8, **line_style(mode))
            axes.axvline(entropy["mean"], color=MODE_COLORS[mode], linewidth=1, linestyle=MODE_STYLES[mode])
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set(
            xlabel="entropy of the weights (1: all words equal)", xlim=(first - 0.02, 1.01), ylabel="share of reviews"
        )
        axes.legend(loc="upper left")

    return draw("entropy", "Histogram of the entropy of the attention weights of a review, both modes", paint)
