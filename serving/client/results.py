"""The values that the client returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imdb_core.features import SENTIMENTS
from imdb_core.signatures import PADDING_TOKEN


@dataclass(frozen=True)
class Prediction:
    """The sentiment of one review.

    Attributes:
        label: The more probable sentiment, `negative` or `positive`.
        probability: Probability of `label`.
        probabilities: Probability of each sentiment; they sum to 1.
        model_version: The version that answered. None if unknown: a REST answer does not name it.
    """

    text: str
    label: str
    probability: float
    probabilities: Mapping[str, float]
    model_version: int | None

    def to_json(self) -> dict[str, Any]:
        """Returns all attributes for `json.dumps`."""
        return {**vars(self), "probabilities": dict(self.probabilities)}


@dataclass(frozen=True)
class Explanation(Prediction):
    """The sentiment of one review, and the network's attention to each word.

    Attributes:
        tokens: Lower-case words as the network reads them; of a long review only the last ones. `[START]` is the first
            if the network reads the review from its start.
        attention: Attention weight of each token.
    """

    tokens: Sequence[str]
    attention: Sequence[float]

    def to_json(self) -> dict[str, Any]:
        """Returns all attributes for `json.dumps`."""
        return {**super().to_json(), "tokens": list(self.tokens), "attention": list(self.attention)}


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


def prediction(text: str, probabilities: Sequence[float], model_version: int | None) -> Prediction:
    """Makes a Prediction from the probability of each of `SENTIMENTS`.

    If the probabilities are equal the first sentiment wins, as in the exported model.
    """
    by_sentiment = dict(zip(SENTIMENTS, probabilities, strict=True))
    label = max(by_sentiment, key=lambda sentiment: by_sentiment[sentiment])
    return Prediction(text, label, by_sentiment[label], by_sentiment, model_version)


def explanation(predicted: Prediction, tokens: Sequence[str], attention: Sequence[float]) -> Explanation:
    """Adds the network's attention to a Prediction: a weight for each token; empty tokens at the end are padding."""
    length = sum(token != PADDING_TOKEN for token in tokens)
    return Explanation(**vars(predicted), tokens=tuple(tokens[:length]), attention=tuple(attention[:length]))
