"""A tiny text model with the signatures and the tokenizer of the real one."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from components.transform.preprocessing import align, tokenize

MAX_TOKENS = 12


class TinySentiment(tf.Module):
    """A word's hash determines its weight, and its length determines its attention.

    With `trained_on` it says what models say since they know their words; then words that start with z are unknown.
    """

    def __init__(self, bias: float, trained_on: str = "") -> None:
        super().__init__()
        self.bias = tf.Variable(bias)
        self.trained_on = trained_on

    def _known(self, tokens: tf.Tensor) -> tf.Tensor:
        return ~tf.strings.regex_full_match(tokens, "(z.*)?")

    def _tokens(self, text: tf.Tensor) -> tf.Tensor:
        words = tokenize(text, normalize=True)
        return align(words, words[:, -MAX_TOKENS:], MAX_TOKENS, "[START]", "")

    def _probabilities(self, text: tf.Tensor) -> tf.Tensor:
        hashes = tf.strings.to_hash_bucket_fast(self._tokens(text), 1000)
        positive = tf.sigmoid(tf.reduce_mean(tf.cast(hashes, tf.float32) / 100.0 - 5.0, axis=1) + self.bias)
        return tf.stack([1.0 - positive, positive], axis=1)

    def _attention(self, tokens: tf.Tensor) -> tf.Tensor:
        lengths = tf.cast(tf.strings.length(tokens, unit="UTF8_CHAR"), tf.float32)
        return tf.math.divide_no_nan(lengths, tf.reduce_sum(lengths, axis=1, keepdims=True))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")], autograph=False)
    def serving_default(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        text = tf.io.parse_example(examples, {"text": tf.io.FixedLenFeature([], tf.string)})["text"]
        return {"probabilities": self._probabilities(text)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")], autograph=False)
    def serve_text(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = self._probabilities(text)
        label = tf.gather(tf.constant(["negative", "positive"]), tf.argmax(probabilities, axis=1))
        if not self.trained_on:
            return {"probabilities": probabilities, "label": label}
        tokens = self._tokens(text)
        is_word = (tokens != "") & (tokens != "[START]")
        return {
            "probabilities": probabilities,
            "label": label,
            "known_words": tf.math.count_nonzero(is_word & self._known(tokens), axis=1),
            "unknown_words": tf.math.count_nonzero(is_word & ~self._known(tokens), axis=1),
            "trained_on": tf.fill(tf.shape(text), self.trained_on),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")], autograph=False)
    def explain(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        tokens = self._tokens(text)
        probabilities = self._probabilities(text)
        outputs = {"probabilities": probabilities, "tokens": tokens, "attention": self._attention(tokens)}
        if self.trained_on:
            outputs.update(known=self._known(tokens), trained_on=tf.fill(tf.shape(text), self.trained_on))
        return outputs

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")], autograph=False)
    def classify(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        scores = self.serving_default(inputs)["probabilities"]
        return {"classes": tf.tile([["negative", "positive"]], [tf.shape(scores)[0], 1]), "scores": scores}


def write_tiny_sentiment(path: Path, *, bias: float = 0.0, without: str = "", trained_on: str = "") -> TinySentiment:
    """Writes a model; versions differ in the bias, and an old one lacks the signature `without`."""
    model = TinySentiment(bias, trained_on)
    names = ("serving_default", "serve_text", "explain", "classify")
    signatures = {name: getattr(model, name) for name in names if name != without}
    tf.saved_model.save(model, str(path), signatures=signatures)
    return model
