"""The values that the client returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from imdb_core.features import SENTIMENTS
from imdb_core.signatures import PADDING_TOKEN, START_TOKEN
from imdb_core.tokens import words

# The kinds of `Prediction.notice`.
EMPTY: Final = "empty"
NO_KNOWN_WORD: Final = "no known word"


@dataclass(frozen=True)
class Prediction:
    """The sentiment of one review.

    Attributes:
        label: The more probable sentiment, `negative` or `positive`.
        probability: Probability of `label`.
        probabilities: Probability of each sentiment; they sum to 1.
        model_version: The version that answered. None if unknown: a REST answer does not name it.
        known_words: How many of the words that the network reads are in its vocabulary. This and the next two are None
            for a model that does not say it, because an older pipeline exported it.
        unknown_words: How many of them are not.
        trained_on: What the model learned from; see `imdb_core.provenance`.
    """

    text: str
    label: str
    probability: float
    probabilities: Mapping[str, float]
    model_version: int | None
    known_words: int | None = field(default=None, kw_only=True)
    unknown_words: int | None = field(default=None, kw_only=True)
    trained_on: str | None = field(default=None, kw_only=True)

    @property
    def notice(self) -> str | None:
        """Returns why the probability says nothing about the review: `EMPTY`, `NO_KNOWN_WORD`; else None."""
        if self.known_words is None or self.unknown_words is None:
            return None if words(self.text) else EMPTY
        if self.known_words:
            return None
        return NO_KNOWN_WORD if self.unknown_words else EMPTY

    @property
    def verdict(self) -> str:
        """Returns what is said about the review: the notice if there is one, else the label."""
        return self.notice or self.label

    def to_json(self) -> dict[str, Any]:
        """Returns all attributes and the notice for `json.dumps`."""
        return {**vars(self), "probabilities": dict(self.probabilities), "notice": self.notice}


@dataclass(frozen=True)
class Explanation(Prediction):
    """The sentiment of one review, and the network's attention to each word.

    Attributes:
        tokens: Lower-case words as the network reads them; of a long review only the last ones. `[START]` is the first
            if the network reads the review from its start.
        attention: Attention weight of each token.
        known: Whether each token is `[START]` or in the vocabulary; None if the model does not say it.
        effects: For each token, by how much the review without this word is less probably positive, -1 to 1; None for
            the mark of the start. None if they were not asked for.
    """

    tokens: Sequence[str]
    attention: Sequence[float]
    known: Sequence[bool] | None = None
    effects: Sequence[float | None] | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns all attributes and the notice for `json.dumps`; effects only if they were asked for."""
        given = super().to_json()
        del given["effects"]
        lists = {"tokens": list(self.tokens), "attention": list(self.attention)}
        effects = {} if self.effects is None else {"effects": list(self.effects)}
        return {**given, **lists, "known": None if self.known is None else list(self.known), **effects}


@dataclass(frozen=True)
class VersionStatus:
    """The state of one version of a model in a server.

    Attributes:
        state: `START`, `LOADING`, `AVAILABLE`, `UNLOADING` or `END`.
        error: Why it could not be loaded; empty if there is no error.
    """

    version: int
    state: str
    error: str = ""


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of a signature.

    Attributes:
        dtype: The name of the protobuf data type, such as `DT_STRING`.
        shape: The sizes of the axes, -1 for any size; None if the rank is unknown.
    """

    dtype: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True)
class Signature:
    """A function that a model serves: its inputs and outputs by name."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


@dataclass(frozen=True)
class Metadata:
    """The signatures of one version of a model by name."""

    version: int
    signatures: Mapping[str, Signature]


def prediction(text: str, probabilities: Sequence[float], model_version: int | None, **said: Any) -> Prediction:
    """Makes a Prediction from the probability of each of `SENTIMENTS`, and what else the model `said`, by attribute.

    If the probabilities are equal the first sentiment wins, as in the exported model.
    """
    by_sentiment = dict(zip(SENTIMENTS, probabilities, strict=True))
    label = max(by_sentiment, key=lambda sentiment: by_sentiment[sentiment])
    return Prediction(text, label, by_sentiment[label], by_sentiment, model_version, **said)


def explanation(
    predicted: Prediction, tokens: Sequence[str], attention: Sequence[float], known: Sequence[bool] | None = None
) -> Explanation:
    """Adds the network's attention to a Prediction: a weight for each token; empty tokens at the end are padding.

    From `known` it also counts the known and unknown words.
    """
    length = sum(token != PADDING_TOKEN for token in tokens)
    explained = Explanation(**vars(predicted), tokens=tuple(tokens[:length]), attention=tuple(attention[:length]))
    if known is None:
        return explained
    read = tuple(known[:length])
    of_words = read[explained.tokens[:1] == (START_TOKEN,) :]
    return replace(explained, known=read, known_words=sum(of_words), unknown_words=len(of_words) - sum(of_words))
