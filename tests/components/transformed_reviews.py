"""Hand-made reviews, transformed by a real TF Transform analysis."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils
from token_oracle import BREAKS, NO_BREAKS

from components.transform.preprocessing import preprocessing_fn
from imdb_core.settings import TransformSettings

TRANSFORM = TransformSettings(vocabulary_size=40, max_tokens=12)
_SCHEMA = Path(__file__).parents[2] / "schemas" / "review.pbtxt"


@dataclass(frozen=True)
class Transformed:
    """The result of TF Transform for `reviews`, which also gave the vocabulary."""

    settings: TransformSettings
    reviews: list[bytes] = field(repr=False)
    labels: list[int] = field(repr=False)
    rows: list[dict[str, np.ndarray]] = field(repr=False)
    output: tft.TFTransformOutput

    @property
    def vocabulary(self) -> list[str]:
        return [word.decode() for word in self.output.vocabulary_by_name("vocabulary")]


def reviews_to_transform() -> list[bytes]:
    rng = random.Random(1)  # noqa: S311  - not a secret
    words = [f"word{place}" for place in range(50)] + ["Ünlü", "ΟΣ", "don't", "İyi", "🎬", "日本", "ñandú", "l'été"]
    rng.shuffle(words)
    drawn = [rng.choices(words, [1 / (1 + rank) for rank in range(len(words))], k=length) for length in range(40)]
    separated = [rng.choice([" ", ", ", "<br />", "\u00a0", "\n"]).join(review) for review in drawn]
    alone = [*words, "", " ", "...", *BREAKS, *NO_BREAKS, "x" * 5000]
    by_length = [" ".join(["same"] * length) for length in range(10, 15)]  # around the limit of 12 tokens
    longest = " ".join(words * (10_000 // len(words)))
    return [review.encode() for review in (*separated, *alone, *by_length, longest)] + [
        b"not \xff\xc3",
        b"\xed\xa0\x80",
    ]


def transform_reviews(folder: Path) -> Transformed:
    reviews = reviews_to_transform()
    labels = [place % 2 for place in range(len(reviews))]
    schema = text_format.Parse(_SCHEMA.read_text(), schema_pb2.Schema())
    spec = schema_utils.schema_as_feature_spec(schema).feature_spec
    metadata = dataset_metadata.DatasetMetadata.from_feature_spec({name: spec[name] for name in ("text", "label")})
    raw = [{"text": [review], "label": [label]} for review, label in zip(reviews, labels, strict=True)]
    output = str(folder / "transform")
    with tft_beam.Context(temp_dir=str(folder / "beam")):
        (rows, _), transform_fn = (raw, metadata) | tft_beam.AnalyzeAndTransformDataset(
            lambda inputs: preprocessing_fn(inputs, {"transform": TRANSFORM.model_dump(mode="json")})
        )
        _ = transform_fn | tft_beam.WriteTransformFn(output)
    return Transformed(TRANSFORM, reviews, labels, rows, tft.TFTransformOutput(output))
