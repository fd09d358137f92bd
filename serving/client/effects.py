"""How much each word of a review matters: the answer to the review without it.

Attention shows where a network looked. What happens without a word shows whether, and in which direction, the word
changed the answer (leave-one-out, as in Li, Monroe and Jurafsky, "Understanding Neural Networks through Representation
Erasure", 2016).
"""

import dataclasses
from collections.abc import Sequence

from imdb_core.features import POSITIVE, SENTIMENTS
from imdb_core.signatures import START_TOKEN
from serving.client.results import Explanation
from serving.client.shading import places


def without_each_word(explanation: Explanation) -> list[str]:
    """Returns the review without each word that the network reads, in their order.

    If the review is longer than the network reads, the network reads one more of the earlier words instead.
    """
    text = explanation.text
    found = places(explanation)
    if found is not None:
        return [text[:start] + text[end:] for start, end in found]
    # The tokenizer is another one: what it made of the review is all there is.
    words = [token for token in explanation.tokens if token != START_TOKEN]
    return [" ".join(words[:place] + words[place + 1 :]) for place in range(len(words))]


def with_effects(explanation: Explanation, positive: Sequence[float]) -> Explanation:
    """Adds the effect of each word.

    Args:
        explanation: The explanation of the whole review.
        positive: The probability of `positive` of each variant of `without_each_word`.
    """
    whole = explanation.probabilities[SENTIMENTS[POSITIVE]]
    mark = [None] * (len(explanation.tokens) - len(positive))
    return dataclasses.replace(explanation, effects=(*mark, *(whole - without for without in positive)))
