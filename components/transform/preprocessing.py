"""Reviews to token ids, in TensorFlow and TF Transform ops alone, so that training and serving share one graph.

Source of the encoding: `keras.datasets.imdb` with `pad_sequences(padding="post", maxlen=200)`, computed from raw text.
"""

from collections.abc import Mapping
from typing import Any, Final

import tensorflow as tf
import tensorflow_transform as tft

from imdb_core import features, file_names
from imdb_core.settings import TransformSettings

# White space as Unicode and Python's str.split define it; RE2's \s knows only five of these characters.
_WHITE_SPACE: Final = r"\t-\r\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
# string.punctuation without the apostrophe.
_PUNCTUATION: Final = r"!\"#$%&()*+,\-./:;<=>?@\[\\\]\^_`{|}~"
_SEPARATORS: Final = f"[{_WHITE_SPACE}{_PUNCTUATION}]+"
# After lower-casing: <br>, <br/>, < br / >, </br>, <br clear="all">, <br/class=x>.
_LINE_BREAK: Final = f"<[{_WHITE_SPACE}]*/?[{_WHITE_SPACE}]*br([{_WHITE_SPACE}/][^<>]*)?>"
# The letters outside ASCII whose lower case under a Turkish, Azeri or Lithuanian locale differs from all others'.
_LOCALE_DEPENDENT: Final = {
    "\u0130": "i\u0307",
    "\u00cc": "\u00ec",
    "\u00cd": "\u00ed",
    "\u0128": "\u0129",
    "\u012e": "\u012f",
}


def lower_case(texts: tf.Tensor) -> tf.Tensor:
    """Lower-cases Unicode text the same way on every machine.

    `tf.strings.lower(encoding="utf-8")` alone stops at the first NUL, and follows the locale of the process: under a
    Turkish one `I` becomes a dotless i, and a server would see other words than the trainer did.

    Args:
        texts: string, any shape; bytes that are not UTF-8, and NUL, become U+FFFD.

    Returns:
        string, same shape as `texts`.
    """
    lowered = tf.strings.lower(tf.strings.regex_replace(texts, r"\x{0}", "\ufffd"))  # ASCII alone, in every locale
    for upper, lower in _LOCALE_DEPENDENT.items():
        lowered = tf.strings.regex_replace(lowered, upper, lower)
    return tf.strings.lower(lowered, encoding="utf-8")


def tokenize(texts: tf.Tensor) -> tf.RaggedTensor:
    """Splits reviews into lower-case words.

    Args:
        texts: string `[batch]`, UTF-8.

    Returns:
        string `[batch, (words)]`.
    """
    without_breaks = tf.strings.regex_replace(lower_case(texts), _LINE_BREAK, " ")
    return tf.strings.split(tf.strings.regex_replace(without_breaks, _SEPARATORS, " "))


def align(words: tf.RaggedTensor, values: tf.RaggedTensor, max_tokens: int, start: Any, padding: Any) -> tf.Tensor:
    """Lays what stands for each word out as the network sees it.

    A start mark comes first; if mark and words are more than `max_tokens`, only the end is kept, without the mark;
    a shorter review is padded after its end.

    Args:
        words: string `[batch, (words)]`, whole reviews.
        values: any dtype `[batch, (last words)]`, one value for each of the last `max_tokens` words at most.
        max_tokens: length of the result.
        start: value of the start mark.
        padding: value of padding.

    Returns:
        dtype of `values`, `[batch, max_tokens]`.
    """
    fits = words.row_lengths() < max_tokens
    marks = tf.fill([tf.math.count_nonzero(fits)], tf.constant(start, values.dtype))
    marked = tf.concat([tf.RaggedTensor.from_row_lengths(marks, tf.cast(fits, tf.int64)), values], axis=1)
    return marked.to_tensor(default_value=padding, shape=[None, max_tokens])


def preprocessing_fn(inputs: Mapping[str, tf.Tensor], custom_config: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Entry point of the Transform component.

    Args:
        inputs: the features of a batch of reviews; `text` is string `[batch, 1]`, `label` int64 `[batch, 1]`.
        custom_config: `transform` holds the dumped `TransformSettings`.

    Returns:
        `token_ids` int64 `[batch, max_tokens]` and `label` int64 `[batch, 1]`.
    """
    settings = TransformSettings.model_validate(custom_config["transform"])
    words = tokenize(tf.squeeze(inputs[features.TEXT], axis=1))
    # Unit weights make TF Transform add words up inside each batch instead of passing every word through Beam. They
    # are float64, which counts exactly up to 2**53.
    vocabulary = tft.vocabulary(
        words,
        top_k=settings.vocabulary_size - features.FIRST_WORD_ID,
        weights=tf.ones_like(words, tf.float64),
        vocab_filename=file_names.VOCABULARY,
    )
    ranks = tft.apply_vocabulary(
        words[:, -settings.max_tokens :], vocabulary, default_value=features.OOV_ID - features.FIRST_WORD_ID
    )
    word_ids = ranks + features.FIRST_WORD_ID
    return {
        features.TOKEN_IDS: align(words, word_ids, settings.max_tokens, features.START_ID, features.PADDING_ID),
        features.LABEL: inputs[features.LABEL],
    }
