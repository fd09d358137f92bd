"""The rule by which the network splits reviews into words, in plain Python, for programs without TensorFlow.

`components.transform.preprocessing.tokenize` is the rule that models are trained with, and serving/server/api/page/
app.js has a copy in JavaScript. tests/token_cases.json lists texts on which all three must agree.
"""

import re
from typing import Final

from imdb_core.normalization import normalized

# A line break such as `<br />`, or a word: whatever is not separated by white space or punctuation. An apostrophe
# belongs to a word. The rest of a text is separators. No two repetitions may match the same white space one after the
# other: a text of blanks would take time that grows with the square of its length.
PIECE: Final = re.compile(
    r"""(?P<line_break><\s*(?:/\s*)?br(?:[\s/][^<>]*)?>)|(?P<word>[^\s!"#$%&()*+,\-./:;<=>?@\[\\\]^_`{|}~]+)""",
    re.IGNORECASE,
)


def words(text: str, *, normalize: bool = False) -> list[str]:
    """Splits a review into words as the vocabulary spells them: in lower case, with U+FFFD instead of NUL.

    Args:
        text: The review.
        normalize: Whether to normalize it first, as `TransformSettings.normalize` says.
    """
    if normalize:
        text = normalized(text).text
    # Lower-casing comes first, as in the graph: the lower case of a capital sigma depends on the rest of the text.
    lowered = text.replace("\0", "\ufffd").lower()
    return [word for _, word in PIECE.findall(lowered) if word]


def folded(word: str) -> str:
    """Returns a form that is the same for a word as its author spelt it and as the vocabulary spells it.

    Lower case is not enough: the lower case of a capital sigma in a single word differs from that in a whole review.
    """
    return word.replace("\0", "\ufffd").casefold()
