"""The values that the client returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imdb_core.features import SENTIMENTS


@dataclass(frozen=True)
class Prediction:
    """The sentiment of one review.

    Attributes:
        text: The review.
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
        version: Number of the version.
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
        dtype: Name of the protobuf data type, such as `DT_STRING`.
        shape: Sizes of the axes, -1 for any size; None if the rank is unknown.
    """

    dtype: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True)
class Signature:
    """A function that a model serves.

    Attributes:
        inputs: TensorSpec by name of the input.
        outputs: TensorSpec by name of the output.
    """

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


@dataclass(frozen=True)
class Metadata:
    """The signatures of one version of a model.

    Attributes:
        version: Number of the version.
        signatures: Signature by name.
    """

    version: int
    signatures: Mapping[str, Signature]


def prediction(text: str, probabilities: Sequence[float], model_version: int | None) -> Prediction:
    """Makes a Prediction from the network's output.

    Args:
        text: The review.
        probabilities: One for each of `SENTIMENTS`. If they are equal the first wins, as in the exported model.
        model_version: The version that answered.
    """
    by_sentiment = dict(zip(SENTIMENTS, probabilities, strict=True))
    label = max(by_sentiment, key=lambda sentiment: by_sentiment[sentiment])
    return Prediction(text, label, by_sentiment[label], by_sentiment, model_version)


def explanation(predicted: Prediction, tokens: Sequence[str], attention: Sequence[float]) -> Explanation:
    """Adds the network's attention to a Prediction.

    Args:
        predicted: The Prediction of the same review.
        tokens: The network's tokens, padded with empty ones at the end.
        attention: One weight for each token.
    """
    length = sum(token != "" for token in tokens)
    return Explanation(**vars(predicted), tokens=tuple(tokens[:length]), attention=tuple(attention[:length]))
