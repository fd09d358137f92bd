"""The SavedModel to serve: four signatures on one graph, and beside them the warm-up requests and `READING_FILE`.

TensorFlow Serving cannot load a SavedModel that tracks a Keras 3 model (tensorflow/serving#2250): its session loader
looks variables up by names that Keras 3 does not set. Therefore a plain `tf.Module` holds plain `tf.Variable`s.
`keras.export.ExportArchive` does the same, but cannot hold the lookup table of the Transform graph.
"""

import json
import os
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import Final

import keras
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2
from tensorflow_transform.saved.saved_transform_io_v2 import SavedModelLoader

from components.graph_functions import graph_function
from components.network import model as models
from components.transform import preprocessing
from imdb_core import features
from imdb_core.file_names import READING_FILE, WARMUP_FILE
from imdb_core.settings import ServingSettings, TransformSettings
from imdb_core.signatures import (
    ATTENTION,
    CLASSES,
    CLASSIFY,
    EXPLAIN,
    INPUTS,
    KNOWN,
    KNOWN_WORDS,
    LABEL,
    PADDING_TOKEN,
    PROBABILITIES,
    SCORES,
    SERVE_TEXT,
    SERVING_DEFAULT,
    START_TOKEN,
    TOKENS,
    TRAINED_ON,
    UNKNOWN_WORDS,
)

_WARMUP_TEXTS: Final = (
    b"A warm and funny film, beautifully acted from the first scene to the last.",
    b"Two hours of my life that nobody gives me back.",
    b"Not the masterpiece some call it,<br />but never boring either.",
)

# The tag of the only field of a tf.Example, with which its bytes start unless they are empty.
_TAG: Final = b"\n"
_NO_EXAMPLE: Final = (
    f"this signature takes serialized tf.Examples, no plain text; for texts set signature_name to {SERVE_TEXT}"
)

_Outputs = Mapping[str, tf.Tensor]


def export_model(
    model: keras.Model,
    transform_output: tft.TFTransformOutput,
    export_dir: str,
    serving: ServingSettings,
    transform: TransformSettings,
    *,
    trained_on: str,
) -> None:
    """Writes the SavedModel.

    Signatures, all with a batch dimension `n`:

    - `serving_default`: `examples` string `[n]`, serialized tf.Examples with `text` → `probabilities`.
    - `serve_text`: `text` string `[n]` → `probabilities`, `label` string `[n]`, `known_words` and `unknown_words`
      int64 `[n]`: how many of the words that the network reads the vocabulary has, and has not.
    - `explain`: `text` string `[n]` → `probabilities`, `tokens` string `[n, max_tokens]`, `attention` float32
      `[n, max_tokens]`, `known` bool `[n, max_tokens]`: whether the token is the start mark or a word of the
      vocabulary. A token is the word as the tokenizer splits it, whether or not the vocabulary has it; `[START]`
      marks the start, padding is empty. In vector mode a word's attention is the mean of its weights over the hidden
      dimensions.
    - `classify`: `inputs` string `[n]`, serialized tf.Examples with `text` → `classes` string `[n, 2]`, `scores`
      float32 `[n, 2]`. TensorFlow Serving's Classify call requires these names and tf.Examples.

    `serve_text` and `explain` also return `trained_on` string `[n]`, the argument of that name, for every review.
    `probabilities` is float32 `[n, 2]`, negative first. If the network masks padding, a batch takes as many steps as
    its longest review has tokens.

    Args:
        model: A trained network from `build_model`. Its GRU no longer uses cuDNN after this call.
        transform_output: Output of the Transform component that wrote the training data.
        export_dir: Folder to write to; it must not hold a model yet.
        serving: Model name and number of warm-up requests.
        transform: Settings of that Transform component.
        trained_on: What the network learned from; see `imdb_core.provenance`.
    """
    # On a machine with a GPU the graph would hold cuDNN's op, which no server without a GPU can run.
    for layer in model.layers:
        if isinstance(layer, keras.layers.GRU):
            layer.use_cudnn = False
    preprocessor = SavedModelLoader(transform_output.transform_savedmodel_dir)
    # Otherwise every run fills in the features that a review to be judged does not have, such as its label.
    preprocessor.finalize([features.TEXT], [features.TOKEN_IDS])
    explaining = models.explaining_model(model)
    sentiments = tf.constant(features.SENTIMENTS)
    max_tokens = transform.max_tokens

    def token_ids(texts: tf.Tensor) -> tf.Tensor:
        padded = preprocessor.apply_transform_model({features.TEXT: texts[:, tf.newaxis]})[features.TOKEN_IDS]
        if not models.takes_any_length(model):
            return padded
        is_token = tf.not_equal(padded, features.PADDING_ID)
        # Padding comes last, so the longest review ends at the last column that holds a token.
        longest = tf.reduce_sum(tf.cast(tf.reduce_any(is_token, axis=0), tf.int32))
        return padded[:, : tf.maximum(longest, 1)]

    def serving_default(examples: tf.Tensor) -> _Outputs:
        return {PROBABILITIES: model(token_ids(_texts_of(examples)), training=False)}

    def serve_text(text: tf.Tensor) -> _Outputs:
        ids = token_ids(text)
        probabilities = model(ids, training=False)
        return {
            PROBABILITIES: probabilities,
            LABEL: tf.gather(sentiments, tf.argmax(probabilities, axis=1)),
            KNOWN_WORDS: tf.math.count_nonzero(ids >= features.FIRST_WORD_ID, axis=1),
            UNKNOWN_WORDS: tf.math.count_nonzero(tf.equal(ids, features.OOV_ID), axis=1),
            TRAINED_ON: tf.fill(tf.shape(text), trained_on),
        }

    def explain(text: tf.Tensor) -> _Outputs:
        ids = token_ids(text)
        probabilities, attention = explaining(ids, training=False)
        known = tf.equal(ids, features.START_ID) | (ids >= features.FIRST_WORD_ID)
        words = preprocessing.tokenize(text, normalize=transform.normalize)
        tokens = preprocessing.align(words, words[:, -max_tokens:], max_tokens, START_TOKEN, PADDING_TOKEN)
        return {
            PROBABILITIES: probabilities,
            TOKENS: tokens,
            ATTENTION: _padded(attention, max_tokens),
            KNOWN: _padded(known, max_tokens),
            TRAINED_ON: tf.fill(tf.shape(text), trained_on),
        }

    def classify(inputs: tf.Tensor) -> _Outputs:
        scores = model(token_ids(_texts_of(inputs)), training=False)
        return {CLASSES: tf.repeat(sentiments[tf.newaxis, :], tf.shape(inputs)[0], axis=0), SCORES: scores}

    served = tf.Module()
    served.tracked = [variable.value for variable in model.variables]
    served.preprocessor = preprocessor._imported  # which holds the vocabulary
    functions = {SERVING_DEFAULT: serving_default, SERVE_TEXT: serve_text, EXPLAIN: explain, CLASSIFY: classify}
    signatures = {
        name: graph_function(function, [tf.TensorSpec([None], tf.string, name=INPUTS[name].name)])
        for name, function in functions.items()
    }
    tf.saved_model.save(served, export_dir, signatures=signatures)
    reading = {"trained_on": trained_on, "normalize": transform.normalize, "max_tokens": max_tokens}
    tf.io.gfile.makedirs(os.path.dirname(os.path.join(export_dir, READING_FILE)))
    with tf.io.gfile.GFile(os.path.join(export_dir, READING_FILE), "w") as file:
        file.write(json.dumps(reading) + "\n")
    write_warmup_requests(os.path.join(export_dir, WARMUP_FILE), serving)


def _texts_of(examples: tf.Tensor) -> tf.Tensor:
    """Parses tf.Examples; of a plain text the parser would say only that it cannot parse it."""
    are_examples = tf.reduce_all(tf.equal(tf.strings.substr(examples, 0, 1), _TAG) | tf.equal(examples, b""))
    with tf.control_dependencies([tf.debugging.Assert(are_examples, [_NO_EXAMPLE])]):
        examples = tf.identity(examples)
    return tf.io.parse_example(examples, {features.TEXT: tf.io.FixedLenFeature([], tf.string)})[features.TEXT]


def _padded(values: tf.Tensor, max_tokens: int) -> tf.Tensor:
    """Pads values, `[n, time]`, to `[n, max_tokens]`."""
    padded = tf.pad(values, [[0, 0], [0, max_tokens - tf.shape(values)[1]]])
    return tf.ensure_shape(padded, [None, max_tokens])


def write_warmup_requests(path: str, serving: ServingSettings) -> None:
    """Writes the requests that TensorFlow Serving replays before it makes a version available.

    They cycle through the signatures and a few fixed texts.
    """
    if not serving.warmup_requests:
        return
    tf.io.gfile.makedirs(os.path.dirname(path))
    requests = islice(zip(cycle(INPUTS), cycle(_WARMUP_TEXTS), strict=True), serving.warmup_requests)
    with tf.io.TFRecordWriter(path) as writer:
        for signature, text in requests:
            request = predict_request(serving.model_name, signature, signature_inputs(signature, [text]))
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString())


def predict_request(
    model_name: str, signature: str, inputs: Mapping[str, Sequence[bytes]]
) -> predict_pb2.PredictRequest:
    """Builds a request to a signature; `inputs` are those of `signature_inputs`."""
    return predict_pb2.PredictRequest(
        model_spec=model_pb2.ModelSpec(name=model_name, signature_name=signature),
        inputs={name: tf.make_tensor_proto(values, tf.string) for name, values in inputs.items()},
    )


def signature_inputs(signature: str, texts: Sequence[bytes]) -> dict[str, list[bytes]]:
    """Converts reviews, UTF-8, to a signature's input: the argument's name → texts or serialized tf.Examples."""
    name, takes_examples = INPUTS[signature]
    return {name: [serialized_example(text) for text in texts] if takes_examples else list(texts)}


def serialized_example(text: bytes) -> bytes:
    """Serializes a review (UTF-8) as a tf.Example with the feature `text`."""
    feature = {features.TEXT: tf.train.Feature(bytes_list=tf.train.BytesList(value=[text]))}
    return bytes(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
