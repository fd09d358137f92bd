"""The Transform node: TFX's own component, set up for `preprocessing_fn`."""

from collections.abc import Sequence

from tfx.components import Transform
from tfx.proto import transform_pb2
from tfx.types import BaseChannel

from components.transform import preprocessing
from imdb_core import features
from imdb_core.code_digest import code_digest
from imdb_core.settings import TransformSettings


def transform_node(
    examples: BaseChannel, schema: BaseChannel, settings: TransformSettings, splits: Sequence[str]
) -> Transform:
    """Builds the node that turns the reviews of `splits` into token ids; the vocabulary comes from `train` alone."""
    return Transform(
        examples=examples,
        schema=schema,
        preprocessing_fn=f"{preprocessing.__name__}.{preprocessing.preprocessing_fn.__name__}",
        splits_config=transform_pb2.SplitsConfig(analyze=[features.TRAIN], transform=splits),
        custom_config={
            "transform": settings.model_dump(mode="json"),
            "code_digest": code_digest(preprocessing.__name__),
        },
        disable_statistics=True,
        disable_analyzer_cache=True,
    )
