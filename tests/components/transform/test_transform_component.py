import json
from importlib import import_module

from tfx.types import channel_utils, standard_artifacts

from components.transform.component import transform_node
from components.transform.preprocessing import preprocessing_fn
from imdb_core.code_digest import code_digest
from imdb_core.settings import TransformSettings


def test_the_node_runs_our_function_on_the_given_splits_and_caches_by_its_code() -> None:
    node = transform_node(
        channel_utils.as_channel([standard_artifacts.Examples()]),
        channel_utils.as_channel([standard_artifacts.Schema()]),
        TransformSettings(vocabulary_size=40, max_tokens=12),
        splits=["train", "eval"],
    )
    assert node.id == "Transform"
    properties = node.exec_properties
    module, name = properties["preprocessing_fn"].rsplit(".", 1)
    assert getattr(import_module(module), name) is preprocessing_fn
    assert json.loads(properties["splits_config"]) == {"analyze": ["train"], "transform": ["train", "eval"]}
    assert json.loads(properties["custom_config"]) == {
        "transform": {"vocabulary_size": 40, "max_tokens": 12, "normalize": True},
        "code_digest": code_digest("components.transform.preprocessing"),
    }
    assert properties["disable_statistics"] == 1
