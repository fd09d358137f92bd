from __future__ import annotations

import pytest
import tensorflow as tf
from transformed_reviews import Transformed, transform_reviews


@pytest.fixture(scope="session")
def transformed(tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    return transform_reviews(tmp_path_factory.mktemp("transformed"))


@pytest.fixture(scope="session")
def token_ids_in_graph(transformed: Transformed):
    """A function that turns a list of reviews into token ids with the saved Transform graph."""
    layer = transformed.output.transform_features_layer()
    graph = tf.function(
        lambda texts: layer({"text": texts[:, tf.newaxis]})["token_ids"],
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )
    return lambda reviews: graph(tf.constant(reviews, tf.string, [len(reviews)])).numpy().tolist()
