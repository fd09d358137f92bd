"""Small SavedModels with every kind of signature, and others that fail or are slow."""

from __future__ import annotations

import shutil
from pathlib import Path

import keras
import tensorflow as tf

MAX_TOKENS = 8
LABELS = ["negative", "positive"]


class HalfPlus(tf.Module):
    """Computes `x / 2 + bias` from numbers, tf.Examples and texts.

    | signature         | inputs                      | outputs                                                   |
    |-------------------|-----------------------------|-----------------------------------------------------------|
    | `serving_default` | `x` float `[n]`             | `y` float `[n]`                                           |
    | `regress`         | `inputs` tf.Examples with x | `outputs` float `[n]`                                     |
    | `classify`        | `inputs` tf.Examples with x | `classes` string, `scores` float, both `[n, 2]`           |
    | `serve_text`      | `text` string `[n]`         | `probabilities` float `[n, 2]`, `label` string `[n]`      |
    | `explain`         | `text` string `[n]`         | `probabilities`, `tokens` string and `attention` `[n, 8]` |

    For a text, x is its length in bytes. The second score is sigmoid(y - 10), so with bias 2 a text of more than 16
    bytes is positive. Tokens are `[START]` and the first seven words; attention is spread evenly over them.
    """

    def __init__(self, bias: float) -> None:
        super().__init__()
        self.bias = tf.Variable(bias)

    def _of(self, x: tf.Tensor) -> tf.Tensor:
        return x / 2.0 + self.bias

    def _scores(self, x: tf.Tensor) -> tf.Tensor:
        positive = tf.sigmoid(self._of(x) - 10.0)
        return tf.stack([1.0 - positive, positive], axis=1)

    def _of_text(self, text: tf.Tensor) -> tf.Tensor:
        return self._scores(tf.cast(tf.strings.length(text), tf.float32))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def half(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": self._of(x)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def regress(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"outputs": self._of(_x_of(inputs))}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def classify(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        x = _x_of(inputs)
        return {"classes": tf.tile([LABELS], [tf.size(x), 1]), "scores": self._scores(x)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def serve_text(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = self._of_text(text)
        return {"probabilities": probabilities, "label": tf.gather(LABELS, tf.argmax(probabilities, axis=1))}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def explain(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        words = tf.strings.split(tf.strings.join(["[START] ", text]))
        tokens = words.to_tensor("", shape=[None, MAX_TOKENS])
        is_token = tf.cast(tokens != "", tf.float32)
        attention = is_token / tf.reduce_sum(is_token, axis=1, keepdims=True)
        return {"probabilities": self._of_text(text), "tokens": tokens, "attention": attention}


class Slow(tf.Module):
    """Keeps a core busy for a given time, regardless of the batch."""

    def __init__(self, milliseconds: float) -> None:
        super().__init__()
        self.seconds = tf.Variable(milliseconds / 1000, dtype=tf.float64)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def __call__(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        end = tf.timestamp() + self.seconds
        now = tf.while_loop(lambda now: now < end, lambda now: [tf.timestamp()], [end - self.seconds])
        with tf.control_dependencies(now):
            return {"y": tf.identity(x)}


class Gate(tf.Module):
    """Answers when a file exists: `file` string `[]` → `there` bool `[]`."""

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, name="file")])
    def __call__(self, file: tf.Tensor) -> dict[str, tf.Tensor]:
        (there,) = tf.while_loop(
            tf.logical_not, lambda _: [tf.size(tf.io.matching_files(file)) > 0], [tf.constant(value=False)]
        )
        return {"there": there}


def _x_of(examples: tf.Tensor) -> tf.Tensor:
    return tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([], tf.float32)})["x"]


def example(**features: float | bytes) -> tf.train.Example:
    """Returns a tf.Example with one value per feature."""
    kinds = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        if isinstance(value, bytes)
        else tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        for name, value in features.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=kinds))


def write_half_plus_two(path: str | Path, *, bias: float = 2.0) -> None:
    """Writes a HalfPlus; versions differ in the bias."""
    module = HalfPlus(bias)
    signatures = {
        "serving_default": module.half,
        "regress": module.regress,
        "classify": module.classify,
        "serve_text": module.serve_text,
        "explain": module.explain,
    }
    tf.saved_model.save(module, str(path), signatures=signatures)


def write_shared_input(path: str | Path) -> None:
    """Writes `regress` and `classify` on one placeholder, which MultiInference needs and only TensorFlow 1 exports."""
    saved_model = tf.compat.v1.saved_model
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        examples = tf.compat.v1.placeholder(tf.string, [None], "tf_example")
        y = _x_of(examples) / 2.0 + 2.0
        scores = tf.stack([1.0 - tf.sigmoid(y), tf.sigmoid(y)], axis=1)
        signatures = {
            "regress": saved_model.regression_signature_def(examples, y),
            "classify": saved_model.classification_signature_def(examples, tf.tile([LABELS], [tf.size(y), 1]), scores),
            "negated": saved_model.regression_signature_def(examples, -y),
        }
        builder = saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()


def write_broken(path: str | Path) -> None:
    """Writes a Keras 3 model that Python can load and servers cannot run, because they do not find its variables."""
    model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1)])

    def half(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": model(x[:, tf.newaxis])[:, 0]}

    signature = tf.function(half, input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    tf.saved_model.save(model, str(path), signatures={"serving_default": signature})


def write_slow(path: str | Path, milliseconds: float) -> None:
    """Writes a Slow model."""
    module = Slow(milliseconds)
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.__call__})


def write_gate(path: str | Path) -> None:
    """Writes a Gate model."""
    module = Gate()
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.__call__})


def push(saved_model: str | Path, base_path: str | Path, version: int | str) -> Path:
    """Copies a model to a version folder as TFX's Pusher does, saved_model.pb last."""
    target = Path(base_path) / str(version)
    shutil.copytree(saved_model, target, ignore=shutil.ignore_patterns("saved_model.pb"))
    shutil.copy(Path(saved_model) / "saved_model.pb", target)
    return target
