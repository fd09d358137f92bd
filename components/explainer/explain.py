"""Measures the modes' attention and shows it on examples, as one JSON document."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import keras
import numpy as np
import tensorflow_transform as tft
from tfx.types import Artifact

from components.artifacts import saved_model_folder, trained_model_file
from components.explainer import aggregates, faithfulness, inference
from components.explainer.arrays import Floats, TokenIds
from components.explainer.dimensions import strongest_dimensions
from components.explainer.reading import ScoredReview
from components.explainer.selection import choose_examples, drawn_order, kind_of
from components.network.model import load_trained_model
from imdb_core import features, file_names
from imdb_core.modes import VECTOR, Mode
from imdb_core.settings import ReportSettings
from imdb_core.signatures import PADDING_TOKEN

_STRONGEST: Final = 3


def explain_reviews(
    scored: Sequence[ScoredReview],
    models: Mapping[Mode, Artifact],
    transform_output: str,
    settings: ReportSettings,
) -> dict[str, Any]:
    """Measures the attention of both modes and selects reviews to show.

    Measurements run on the Keras models: they take token ids, so words can be removed, and each review is tokenized
    once. The few reviews to show get the outputs of the exported models in the C++ runtime, which are what is served.

    Args:
        scored: The test split; at least one review.
        models: The Model artifacts by mode.
        transform_output: Folder of the Transform graph.
        settings: Numbers of reviews, and the seed.

    Returns:
        The document; docs/adr/0014-explainer.md describes its content.

    Raises:
        RunError: A model cannot be run.
    """
    order = drawn_order((review.id for review in scored), settings.seed)
    perturbed = settings.faithfulness_reviews or len(scored)
    measured = order[: max(settings.attention_reviews or len(scored), perturbed)]
    transform = tft.TFTransformOutput(transform_output)
    token_ids = inference.encode([scored[position].text for position in measured], transform)
    vocabulary = [
        word.decode("utf-8", errors="replace") for word in transform.vocabulary_by_name(file_names.VOCABULARY)
    ]
    draws = faithfulness.draws_for(min(perturbed, len(measured)), token_ids.shape[1], settings.seed)

    networks = {mode: load_trained_model(trained_model_file(model)) for mode, model in models.items()}
    progress = inference.InferenceProgress()
    functions = {mode: inference.inference_function(network, progress) for mode, network in networks.items()}
    # In parallel, because one network alone does not keep two cores busy.
    with ThreadPoolExecutor(len(models)) as pool:
        described = pool.map(lambda mode: describe_mode(functions[mode], token_ids, vocabulary, draws), models)
        modes = dict(zip(models, described, strict=True))
    return {
        "reviews": len(measured),
        "test_reviews": len(scored),
        "seed": settings.seed,
        "modes": modes,
        "examples": _examples(
            [scored[position] for position in choose_examples(scored, order, settings.examples)],
            models,
            networks[VECTOR],
            transform,
        ),
    }


def describe_mode(
    run: inference.InferenceFunction, token_ids: TokenIds, vocabulary: Sequence[str], draws: Floats
) -> dict[str, Any]:
    """Measures one mode's attention. Words are removed from the first reviews only, as many as there are `draws`."""
    outputs = run(token_ids)
    is_token = token_ids != features.PADDING_ID
    is_word = faithfulness.words_in(token_ids)
    shares = aggregates.shares_of(outputs.weights, is_token)
    min_reviews = aggregates.least_reviews(len(token_ids))
    rows = np.flatnonzero(is_word[: len(draws)].any(axis=1))
    return {
        "words": aggregates.attended_words(token_ids, shares, vocabulary, min_reviews),
        "min_reviews": min_reviews,
        "position": aggregates.position_profile(shares, is_word),
        "entropy": aggregates.entropy_histogram(aggregates.entropies_of(shares, is_token)),
        "faithfulness": faithfulness.measure(
            lambda changed: run(changed).probabilities,
            token_ids[rows],
            shares[rows],
            outputs.probabilities[rows],
            draws[rows],
        ),
    }


def _examples(
    shown: Sequence[ScoredReview],
    models: Mapping[Mode, Artifact],
    vector: keras.Model,
    transform: tft.TFTransformOutput,
) -> list[dict[str, Any]]:
    if not shown:
        return []
    texts = [review.text for review in shown]
    served = {mode: inference.explain_served(saved_model_folder(model), texts) for mode, model in models.items()}
    dimensions = strongest_dimensions(vector, inference.encode(texts, transform), _STRONGEST)
    documents = []
    for place, review in enumerate(shown):
        modes: dict[str, dict[str, Any]] = {}
        for mode, (tokens, outputs) in served.items():
            is_token = tokens[place] != PADDING_TOKEN.encode()
            modes[mode] = {
                "probability": float(outputs.probabilities[place, features.POSITIVE]),
                "label": features.SENTIMENTS[outputs.probabilities[place].argmax()],
                "tokens": [_text(token) for token in tokens[place][is_token]],
                "weights": outputs.weights[place][is_token].tolist(),
            }
            if mode == VECTOR:
                modes[mode]["dimensions"] = [
                    {"dimension": unit.dimension, "share": unit.share, "weights": unit.weights[is_token].tolist()}
                    for unit in dimensions[place]
                ]
        documents.append(
            {
                "id": _text(review.id),
                "kind": kind_of(review),
                "text": _text(review.text),
                "label": features.SENTIMENTS[review.label],
                "rating": review.rating,
                "length_bucket": review.length_bucket,
                "modes": modes,
            }
        )
    return documents


def _text(utf8: bytes) -> str:
    return utf8.decode("utf-8", errors="replace")
