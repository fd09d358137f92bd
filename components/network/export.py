"""The SavedModel that is served: four signatures on one graph, and the warm-up requests beside them.

A Keras 3 model inside what `tf.saved_model.save` saves loads in Python but not in TF Serving (tensorflow/serving#2250):
the session loader looks variables up by names that Keras 3 does not give them. So a plain tf.Module holds the plain
tf.Variables. `keras.export.ExportArchive` does the same, but cannot carry the lookup table of the Transform graph.
"""

import os
from collections.abc import Mapping
from typing import Final

import keras
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

from components.network import model as models
from components.transform import preprocessing
from imdb_core import features
from imdb_core.file_names import WARMUP_FILE
from imdb_core.settings import ServingSettings
from imdb_core.signatures import (
    ATTENTION,
    CLASSES,
    CLASSIFY,
    CLASSIFY_INPUTS,
    EXPLAIN,
    LABEL,
    PADDING_TOKEN,
    PROBABILITIES,
    SCORES,
    SERVE_TEXT,
    SERVING_DEFAULT,
    START_TOKEN,
    TOKENS,
)

_WARMUP_TEXTS: Final = (
    "A warm and funny film, beautifully acted from the first scene to the last.",
    "Two hours of my life that nobody gives me back.",
    "Not the masterpiece some call it,<br />but never boring either.",
)

_TAKE_EXAMPLES: Final = (SERVING_DEFAULT, CLASSIFY)

_Outputs = Mapping[str, tf.Tensor]


def export_model(
    model: keras.Model, transform_output: tft.TFTransformOutput, export_dir: str, serving: ServingSettings
) -> None:
    """Writes the SavedModel.

    Signatures, all with a batch dimension `n`:

    - `serving_default`: `examples` string `[n]`, serialized tf.Examples with `text` → `probabilities`.
    - `serve_text`: `text` string `[n]` → `probabilities`, `label` string `[n]`.
    - `explain`: `text` string `[n]` → `probabilities`, `tokens` string `[n, max_tokens]`, `attention` float32
      `[n, max_tokens]`. A token is the word as the tokenizer cut it, whether or not the vocabulary has it; `[START]`
      marks the start, padding is empty. In vector mode a word's attention is the mean of its weights over the hidden
      dimensions.
    - `classify`: `inputs` string `[n]`, serialized tf.Examples with `text` → `classes` string `[n, 2]`, `scores`
      float32 `[n, 2]`. These names and tf.Examples are what Serving's Classify call insists on.

    `probabilities` is float32 `[n, 2]`, negative first.

    Args:
        model: trained network, `token_ids` int64 `[n, max_tokens]` → probabilities. Its GRU leaves cuDNN for good.
        transform_output: output of the Transform component that made the training data.
        export_dir: folder to write; it must not hold a model yet.
        serving: name and number of warm-up requests.
    """
    # Where training has a GPU the graph would hold cuDNN's op, and no server without one could run it.
    for layer in model.layers:
        if isinstance(layer, keras.layers.GRU):
            layer.use_cudnn = False
    transform_layer = transform_output.transform_features_layer()
    explaining = models.explaining_model(model)
    sentiments = tf.constant(features.SENTIMENTS)
    max_tokens = model.input_shape[1]

    def token_ids(texts: tf.Tensor) -> tf.Tensor:
        return transform_layer({features.TEXT: texts[:, tf.newaxis]})[features.TOKEN_IDS]

    def texts_of(examples: tf.Tensor) -> tf.Tensor:
        return tf.io.parse_example(examples, {features.TEXT: tf.io.FixedLenFeature([], tf.string)})[features.TEXT]

    def serving_default(examples: tf.Tensor) -> _Outputs:
        return {PROBABILITIES: model(token_ids(texts_of(examples)), training=False)}

    def serve_text(text: tf.Tensor) -> _Outputs:
        probabilities = model(token_ids(text), training=False)
        return {PROBABILITIES: probabilities, LABEL: tf.gather(sentiments, tf.argmax(probabilities, axis=1))}

    def explain(text: tf.Tensor) -> _Outputs:
        probabilities, attention = explaining(token_ids(text), training=False)
        words = preprocessing.tokenize(text)
        tokens = preprocessing.align(words, words[:, -max_tokens:], max_tokens, START_TOKEN, PADDING_TOKEN)
        return {PROBABILITIES: probabilities, TOKENS: tokens, ATTENTION: attention}

    def classify(inputs: tf.Tensor) -> _Outputs:
        scores = model(token_ids(texts_of(inputs)), training=False)
        return {CLASSES: tf.repeat(sentiments[tf.newaxis, :], tf.shape(inputs)[0], axis=0), SCORES: scores}

    served = tf.Module()
    served.tracked = [variable.value for variable in model.variables]
    served.transform_layer = transform_layer
    signatures = {
        name: tf.function(function, input_signature=[tf.TensorSpec([None], tf.string, name=argument)])
        for name, function, argument in (
            (SERVING_DEFAULT, serving_default, "examples"),
            (SERVE_TEXT, serve_text, "text"),
            (EXPLAIN, explain, "text"),
            (CLASSIFY, classify, CLASSIFY_INPUTS),
        )
    }
    tf.saved_model.save(served, export_dir, signatures=signatures)
    write_warmup_requests(os.path.join(export_dir, WARMUP_FILE), serving)


def write_warmup_requests(path: str, serving: ServingSettings) -> None:
    """Writes the requests that TF Serving replays before it calls a version available.

    Args:
        path: the model's `assets.extra/tf_serving_warmup_requests`.
        serving: `warmup_requests` requests are written, going round the signatures and a few texts of our own.
    """
    if not serving.warmup_requests:
        return
    inputs = (
        (SERVE_TEXT, "text"),
        (EXPLAIN, "text"),
        (SERVING_DEFAULT, "examples"),
        (CLASSIFY, CLASSIFY_INPUTS),
    )
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.TFRecordWriter(path) as writer:
        for number in range(serving.warmup_requests):
            signature, argument = inputs[number % len(inputs)]
            text = _WARMUP_TEXTS[number % len(_WARMUP_TEXTS)].encode()
            value = serialized_example(text) if signature in _TAKE_EXAMPLES else text
            request = predict_pb2.PredictRequest(
                model_spec=model_pb2.ModelSpec(name=serving.model_name, signature_name=signature),
                inputs={argument: tf.make_tensor_proto([value], tf.string)},
            )
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString())


def serialized_example(text: bytes) -> bytes:
    """Wraps a review the way `serving_default` and `classify` expect it.

    Args:
        text: UTF-8.

    Returns:
        A serialized tf.Example with the feature `text`.
    """
    feature = {features.TEXT: tf.train.Feature(bytes_list=tf.train.BytesList(value=[text]))}
    return bytes(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
