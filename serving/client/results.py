"""What the client answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imdb_core.features import SENTIMENTS


@dataclass(frozen=True)
class Prediction:
    """The sentiment of one review.

    Attributes:
        text: the review.
        label: the likelier sentiment, `negative` or `positive`.
        probability: of `label`.
        probabilities: by sentiment; they sum to 1.
        model_version: that answered. None where the server did not say: REST tells only if one was asked for.
    """

    text: str
    label: str
    probability: float
    probabilities: Mapping[str, float]
    model_version: int | None

    def to_json(self) -> dict[str, Any]:
        """All of it, for `json.dumps`."""
        return {
            "text": self.text,
            "label": self.label,
            "probability": self.probability,
            "probabilities": dict(self.probabilities),
            "model_version": self.model_version,
        }


@dataclass(frozen=True)
class Explanation(Prediction):
    """The sentiment of one review, and where the network looked.

    Attributes:
        tokens: lower-case words as the network reads them, only the last ones of a long review; `[START]` comes first
            where the review is read from its start.
        attention: weight of each token.
    """

    tokens: Sequence[str]
    attention: Sequence[float]

    def to_json(self) -> dict[str, Any]:
        """All of it, for `json.dumps`."""
        return {**super().to_json(), "tokens": list(self.tokens), "attention": list(self.attention)}


@dataclass(frozen=True)
class VersionStatus:
    """The state of one version of a model in a server.

    Attributes:
        version: its number.
        state: `START`, `LOADING`, `AVAILABLE`, `UNLOADING` or `END`.
        error: why it could not be loaded, or empty.
    """

    version: int
    state: str
    error: str = ""


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of a signature.

    Attributes:
        dtype: as protocol buffers name it, like `DT_STRING`.
        shape: -1 is any length; None if even the rank is unknown.
    """

    dtype: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True)
class Signature:
    """A function that a model serves.

    Attributes:
        inputs: by name.
        outputs: by name.
    """

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


@dataclass(frozen=True)
class Metadata:
    """What a server tells about one version of a model.

    Attributes:
        version: its number.
        signatures: by name.
    """

    version: int
    signatures: Mapping[str, Signature]


def prediction(text: str, probabilities: Sequence[float], model_version: int | None) -> Prediction:
    """Makes a Prediction of what the network gives.

    Args:
        text: the review.
        probabilities: one for each of `SENTIMENTS`; of equal ones the first wins, as in the exported model.
        model_version: that answered.
    """
    by_sentiment = dict(zip(SENTIMENTS, probabilities, strict=True))
    label = max(by_sentiment, key=lambda sentiment: by_sentiment[sentiment])
    return Prediction(text, label, by_sentiment[label], by_sentiment, model_version)


def explanation(predicted: Prediction, tokens: Sequence[str], attention: Sequence[float]) -> Explanation:
    """Adds to a Prediction where the network looked.

    Args:
        predicted: for the same review.
        tokens: padded with empty ones at the end.
        attention: as many weights.
    """
    length = sum(token != "" for token in tokens)
    return Explanation(
        predicted.text,
        predicted.label,
        predicted.probability,
        predicted.probabilities,
        predicted.model_version,
        tuple(tokens[:length]),
        tuple(attention[:length]),
    )
