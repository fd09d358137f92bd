"""Turns reviews into token ids with TensorFlow and TF Transform ops alone, so training and serving share one graph.

The encoding is that of `keras.datasets.imdb` with `pad_sequences(padding="post", maxlen=200)`, computed from raw text.
"""

import functools
from collections.abc import Mapping
from typing import Any, Final

import tensorflow as tf
import tensorflow_transform as tft

from components.graph_functions import graph_function
from imdb_core import features, file_names, normalization
from imdb_core.settings import TransformSettings

# White space as Unicode and Python's str.split define it; RE2's \s matches only five of these characters.
_WHITE_SPACE: Final = r"\t-\r\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
# string.punctuation without the apostrophe.
_PUNCTUATION: Final = r"!\"#$%&()*+,\-./:;<=>?@\[\\\]\^_`{|}~"
_SEPARATORS: Final = f"[{_WHITE_SPACE}{_PUNCTUATION}]+"
# Matches, after lower-casing: <br>, <br/>, < br / >, </br>, <br clear="all">, <br/class=x>.
_LINE_BREAK: Final = f"<[{_WHITE_SPACE}]*(/[{_WHITE_SPACE}]*)?br([{_WHITE_SPACE}/][^<>]*)?>"
# The marks that some letter is composed with.
_MARKS: Final = "".join(sorted({chr(mark) for _, mark in normalization.COMPOSITIONS}))
# Letters outside ASCII whose lower case differs under a Turkish, Azeri or Lithuanian locale.
_LOCALE_DEPENDENT: Final = {
    "\u0130": "i\u0307",
    "\u00cc": "\u00ec",
    "\u00cd": "\u00ed",
    "\u0128": "\u0129",
    "\u012e": "\u012f",
}


def lower_case(texts: tf.Tensor) -> tf.Tensor:
    """Lower-cases Unicode text of any shape the same way on every machine.

    NUL and bytes that are not UTF-8 become U+FFFD. `tf.strings.lower(encoding="utf-8")` alone stops at the first NUL
    and follows the locale of the process: under a Turkish locale `I` becomes a dotless i, and the server would get
    other words than the trainer.
    """
    lowered = _lower_ascii(texts)
    for upper, lower in _LOCALE_DEPENDENT.items():
        lowered = tf.strings.regex_replace(lowered, upper, lower)
    return tf.strings.lower(lowered, encoding="utf-8")


def normalized(texts: tf.Tensor) -> tf.Tensor:
    """Normalizes reviews in UTF-8, string `[batch]`, by the rule of `imdb_core.normalization`."""
    # ASCII needs nothing, and most reviews have no other characters.
    rows = tf.where(tf.strings.length(texts) != tf.strings.length(texts, "UTF8_CHAR"))
    codes = _replaced(tf.strings.unicode_decode(tf.gather_nd(texts, rows), "UTF-8"))
    replaced = tf.tensor_scatter_nd_update(texts, rows, tf.strings.unicode_encode(codes, "UTF-8"))
    # Combining marks are rarer still.
    has_marks = tf.strings.regex_full_match(replaced, f"(?s).*[{_MARKS}].*")
    return tf.cond(
        tf.reduce_any(has_marks),
        lambda: _with_marks_composed(replaced, has_marks),
        lambda: tf.identity(replaced),
    )


def tokenize(texts: tf.Tensor, *, normalize: bool) -> tf.RaggedTensor:
    """Splits reviews in UTF-8 into lower-case words.

    Args:
        texts: string `[batch]`.
        normalize: Whether to normalize the reviews first.

    Returns:
        string `[batch, (words)]`.
    """
    return _tokenizer(normalize)(texts)


def align(words: tf.RaggedTensor, values: tf.RaggedTensor, max_tokens: int, start: Any, padding: Any) -> tf.Tensor:
    """Arranges one value per word in the fixed length that the network expects.

    The start mark comes first. If the mark and the words exceed `max_tokens`, only the end remains, without the mark.
    Shorter reviews are padded at their end.

    Args:
        words: Words of whole reviews, string `[batch, (words)]`.
        values: Value of each word, any dtype `[batch, (last words)]`; at most the last `max_tokens` words have one.
        max_tokens: Length of the result.
        start: Value of the start mark.
        padding: Value of padding.

    Returns:
        dtype of `values`, `[batch, max_tokens]`.
    """
    unmarked = values.to_tensor(default_value=padding, shape=[None, max_tokens])
    # A review that is short enough for the mark ends in padding here.
    marked = tf.pad(unmarked[:, :-1], [[0, 0], [1, 0]], constant_values=start)
    fits = words.row_lengths() < max_tokens
    return tf.where(fits[:, tf.newaxis], marked, unmarked)


def preprocessing_fn(inputs: Mapping[str, tf.Tensor], custom_config: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Computes the features for training; TFX's Transform calls it.

    Args:
        inputs: Features of a batch of reviews; `text` is string `[batch, 1]`, `label` int64 `[batch, 1]`.
        custom_config: The dumped `TransformSettings` under the key `transform`.

    Returns:
        `token_ids` int64 `[batch, max_tokens]` and `label` int64 `[batch, 1]`.
    """
    settings = TransformSettings.model_validate(custom_config["transform"])
    words = tokenize(tf.squeeze(inputs[features.TEXT], axis=1), normalize=settings.normalize)
    # With unit weights, TF Transform counts words within each batch instead of passing every word through Beam.
    # float64 counts exactly up to 2**53.
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


@functools.cache
def _tokenizer(normalize: bool) -> Any:
    """Returns the graph of `tokenize`, which is traced once; TF Transform traces all the rest again and again."""

    def words(texts: tf.Tensor) -> tf.RaggedTensor:
        # For a single short review, starting the operations takes longer than all else; ASCII needs few of them.
        lowered = tf.cond(
            tf.reduce_all(tf.strings.regex_full_match(texts, r"[\x{0}-\x{7f}]*")),
            lambda: _lower_ascii(texts),
            lambda: lower_case(normalized(texts) if normalize else texts),
        )
        without_breaks = tf.strings.regex_replace(lowered, _LINE_BREAK, " ")
        pieces = tf.raw_ops.StringSplitV2(input=tf.strings.regex_replace(without_breaks, _SEPARATORS, " "), sep="")
        # As `tf.strings.split`, with fewer operations.
        reviews = tf.range(tf.size(texts, tf.int64) + 1)
        starts = tf.searchsorted(pieces.indices[:, 0], reviews, out_type=tf.int64)
        return tf.RaggedTensor.from_row_splits(pieces.values, starts, validate=False)

    return graph_function(words, [tf.TensorSpec([None], tf.string)])


def _lower_ascii(texts: tf.Tensor) -> tf.Tensor:
    """Lower-cases the letters of ASCII, in every locale, and replaces NUL by U+FFFD."""
    return tf.strings.lower(tf.strings.regex_replace(texts, r"\x{0}", "\ufffd"))


def _replaced(codes: tf.RaggedTensor) -> tf.RaggedTensor:
    """Replaces or removes the code points, int32 `[batch, (characters)]`, that have another spelling."""
    found, replacements = _looked_up(codes.values, normalization.REPLACEMENTS, tf.int32)
    values = tf.where(found, replacements, codes.values)
    return tf.ragged.boolean_mask(codes.with_values(values), codes.with_values(values != normalization.REMOVED))


def _with_marks_composed(texts: tf.Tensor, has_marks: tf.Tensor) -> tf.Tensor:
    """Composes letters and marks in those reviews, string `[batch]`, that have marks, bool `[batch]`."""
    rows = tf.where(has_marks)
    codes = tf.strings.unicode_decode(tf.gather_nd(texts, rows), "UTF-8")
    # A loop instead of three copies of its body, which would be half of all operations of an exported model.
    letters, reviews = tf.while_loop(
        lambda *_: True,
        _composed,
        (codes.values, codes.value_rowids()),
        shape_invariants=(tf.TensorShape([None]), tf.TensorShape([None])),
        maximum_iterations=normalization.ROUNDS,
    )
    codes = tf.RaggedTensor.from_value_rowids(letters, reviews, tf.size(rows, tf.int64), validate=False)
    return tf.tensor_scatter_nd_update(texts, rows, tf.strings.unicode_encode(codes, "UTF-8"))


def _composed(letters: tf.Tensor, reviews: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Composes each letter with the combining mark that follows it.

    Args:
        letters: Code points, int32 `[characters]`.
        reviews: The number of the review that each belongs to, int64 `[characters]`.

    Returns:
        Both, without the marks that were composed.
    """
    pairs = {_pair(*pair): code for pair, code in normalization.COMPOSITIONS.items()}
    first = tf.cast(letters, tf.int64)
    found, compositions = _looked_up(_pair(first, tf.concat([first[1:], [0]], axis=0)), pairs, tf.int64)
    found &= reviews == tf.concat([reviews[1:], [-1]], axis=0)
    kept = tf.where(~tf.concat([[False], found], axis=0)[:-1])[:, 0]
    composed = tf.where(found, tf.cast(compositions, tf.int32), letters)
    return tf.gather(composed, kept), tf.gather(reviews, kept)


def _pair(letter: Any, mark: Any) -> Any:
    return letter * 2**21 + mark


def _looked_up(keys: tf.Tensor, table: Mapping[int, int], dtype: tf.DType) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns which keys the table has, and the value of each; unlike a hash table, this has no state."""
    known, values = (tf.constant(column, dtype) for column in zip(*sorted(table.items()), strict=True))
    places = tf.minimum(tf.searchsorted(known, keys), len(table) - 1)
    return tf.gather(known, places) == keys, tf.gather(values, places)
