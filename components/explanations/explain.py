"""All that is measured and shown of the modes' attention, as one JSON document."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np

from components import reviews
from components.explanations import aggregates, faithfulness
from components.explanations.dimensions import Dimension, strongest_dimensions
from components.explanations.inference import Encoded, Progress, Served, ask_served, encode, predictor
from components.explanations.scored import ScoredReview
from components.explanations.selection import choose_examples, drawn_order, kind_of
from components.settings import ReportSettings

_STRONGEST: Final = 3


@dataclass(frozen=True)
class ModelFiles:
    """One mode's model.

    Attributes:
        saved_model: folder of what is served.
        trained_model: the `.keras` file that it was exported from.
    """

    saved_model: str
    trained_model: str


def explain_reviews(
    scored: Sequence[ScoredReview],
    models: Mapping[reviews.Mode, ModelFiles],
    transform_output: str,
    settings: ReportSettings,
    padding_masked: bool,
) -> dict[str, Any]:
    """Measures the attention of both modes and picks reviews to show.

    Weights are those that the exported models give in the C++ runtime, so what is shown is what is served. Reviews
    with words taken away are sent through the Keras models, as token ids, which the exported ones do not take.

    Args:
        scored: the test split; one review at least.
        models: by mode.
        transform_output: folder of the Transform graph.
        settings: numbers of reviews, and the seed.
        padding_masked: `model.mask`.

    Returns:
        The document; docs/adr/0014-explainer.md says what stands in it.

    Raises:
        RunError: a model cannot be run.
    """
    order = drawn_order((review.id for review in scored), settings.seed)
    perturbed = settings.faithfulness_reviews or len(scored)
    measured = order[: max(settings.attention_reviews or len(scored), perturbed)]
    examples = choose_examples(scored, order, settings.examples)
    places = {position: place for place, position in enumerate(dict.fromkeys([*measured, *examples]))}
    texts = [scored[position].text for position in places]
    shown = [places[position] for position in examples]

    progress = Progress()
    encoded = encode(texts, transform_output)
    served = ask_served({mode: files.saved_model for mode, files in models.items()}, texts, progress)
    networks = {mode: keras.saving.load_model(files.trained_model, compile=False) for mode, files in models.items()}

    is_word = faithfulness.words_in(encoded.token_ids[: len(measured)])
    is_token = encoded.token_ids[: len(measured)] != reviews.PADDING_ID
    shares = {mode: aggregates.shares_of(said.attention[: len(measured)], is_token) for mode, said in served.items()}
    occurrences = aggregates.Occurrences.of(encoded.tokens[: len(measured)], is_word)
    min_reviews = aggregates.least_reviews(len(measured))
    rows = np.flatnonzero(is_word[:perturbed].any(axis=1))
    draws = faithfulness.draws_for(len(is_word[:perturbed]), is_word.shape[1], settings.seed)[rows]
    predictors = {mode: predictor(network, padding_masked, progress) for mode, network in networks.items()}

    def describe(mode: reviews.Mode) -> dict[str, Any]:
        return {
            "words": aggregates.attended_words(occurrences, shares[mode], is_token, is_word, min_reviews),
            "min_reviews": min_reviews,
            "position": aggregates.position_profile(shares[mode], is_word),
            "entropy": aggregates.entropy_histogram(aggregates.entropies_of(shares[mode], is_token)),
            "faithfulness": faithfulness.measure(
                predictors[mode],
                encoded.token_ids[rows],
                shares[mode][rows],
                served[mode].probabilities[rows],
                draws,
            ),
        }

    # Side by side: one network alone does not keep two cores busy.
    with ThreadPoolExecutor(len(models)) as pool:
        described = dict(zip(models, pool.map(describe, models), strict=True))
    dimensions = strongest_dimensions(networks[reviews.VECTOR], encoded.token_ids[shown], _STRONGEST) if shown else []
    return {
        "reviews": len(measured),
        "test_reviews": len(scored),
        "seed": settings.seed,
        "modes": described,
        "examples": [
            _example(scored[position], place, encoded, served, strongest)
            for position, place, strongest in zip(examples, shown, dimensions, strict=True)
        ],
    }


def _example(
    review: ScoredReview,
    place: int,
    encoded: Encoded,
    served: Mapping[reviews.Mode, Served],
    strongest: Sequence[Dimension],
) -> dict[str, Any]:
    is_token = encoded.token_ids[place] != reviews.PADDING_ID
    tokens = [_text(token) for token in encoded.tokens[place][is_token]]
    modes: dict[str, dict[str, Any]] = {}
    for mode, said in served.items():
        probabilities = said.probabilities[place]
        modes[mode] = {
            "probability": float(probabilities[reviews.POSITIVE]),
            "label": reviews.SENTIMENTS[probabilities.argmax()],
            "tokens": tokens,
            "weights": said.attention[place][is_token].tolist(),
        }
    modes[reviews.VECTOR]["dimensions"] = [
        {"dimension": unit.dimension, "share": unit.share, "weights": unit.weights[is_token].tolist()}
        for unit in strongest
    ]
    return {
        "id": _text(review.id),
        "kind": kind_of(review),
        "text": _text(review.text),
        "label": reviews.SENTIMENTS[review.label],
        "rating": review.rating,
        "length_bucket": review.length_bucket,
        "modes": modes,
    }


def _text(utf8: bytes) -> str:
    return utf8.decode("utf-8", errors="replace")
