"""The client of any TensorFlow Serving: predictions and explanations of reviews."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from imdb_core.errors import SettingsError
from imdb_core.features import POSITIVE, SENTIMENTS
from imdb_core.file_names import DEFAULT_MODEL
from imdb_core.signatures import (
    ATTENTION,
    EXPLAIN,
    KNOWN,
    KNOWN_WORDS,
    PROBABILITIES,
    SERVE_TEXT,
    TOKENS,
    TRAINED_ON,
    UNKNOWN_WORDS,
)
from serving.client.address import parse_address
from serving.client.effects import with_effects, without_each_word
from serving.client.refusals import is_unknown_label, refusal
from serving.client.results import Explanation, Metadata, Prediction, VersionStatus, explanation, prediction
from serving.client.tls import TLS
from serving.client.transport import ModelSpec, SignatureAnswer, T, Transport, TransportError, with_retries
from serving.names import DEFAULT_TARGET, STABLE

# How long the client takes a server to have no label `stable`.
_UNLABELLED_SECONDS: Final = 10.0


class Client:
    """Sends reviews to one model of one server. Use it in a `with` statement or close it; threads may share it.

    All requests can raise a ClientError; `serving.client.errors` has its kinds.

    Args:
        target: `host:port` or another address of gRPC, or `http://host:port` or `https://host:port` for REST; see
            `serving.client.address`. Proxies of the environment are used, except for this machine.
        model: Name of the model.
        version: Number of the version to use.
        label: Label of the version to use. With neither version nor label, the client uses the version labelled
            `stable` if there is one, else the newest.
        deadline: Seconds for one request, including its retries.
        retries: The maximum number of repetitions of a request while the server is unavailable. Other errors are not
            retried.
        batch_size: The maximum number of reviews in one request.
        tls: Certificates. gRPC is encrypted only if they are given; https uses those of the system without them.

    Raises:
        SettingsError: The arguments are invalid or contradict each other.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        model: str = DEFAULT_MODEL,
        *,
        version: int | None = None,
        label: str | None = None,
        deadline: float = 30.0,
        retries: int = 4,
        batch_size: int = 128,
        tls: TLS | None = None,
    ) -> None:
        if version is not None and label is not None:
            raise SettingsError(f"version {version} and label {label!r} are both given; give one")
        if not model:
            raise SettingsError("the model's name is empty; give one")
        self.model = model
        self.version = version
        self.label = label
        self.deadline = deadline
        self.retries = retries
        self.batch_size = batch_size
        self._unlabelled_until = 0.0
        self._transport = _transport(target, tls)
        self.target = self._transport.target

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Predicts the sentiment of reviews; returns one Prediction for each review, in order."""
        counted = [KNOWN_WORDS, UNKNOWN_WORDS, TRAINED_ON]
        return [
            prediction(text, row, answer.version, **said)
            for batch, answer in self._batches(SERVE_TEXT, texts, [PROBABILITIES], counted)
            for text, row, said in zip(
                batch, answer.outputs[PROBABILITIES], _rows(answer, counted, len(batch)), strict=True
            )
        ]

    def explain(self, texts: Sequence[str], *, effects: bool = False) -> list[Explanation]:
        """Predicts the sentiment of reviews, with the attention of each word; returns one Explanation for each review.

        Args:
            texts: The reviews.
            effects: Whether to measure the effect of each word too: the review is predicted again without it. The
                variants of a review are one request, of at most as many reviews as the network reads words.

        Raises:
            SignatureNotFoundError: The model is too old to have the signature `explain`.
        """
        explained = self._explanations(texts)
        return [self._with_effects(one) for one in explained] if effects else explained

    def _with_effects(self, explained: Explanation) -> Explanation:
        variants = without_each_word(explained)
        changed = [
            prediction(text, row, answer.version)
            for batch, answer in self._batches(SERVE_TEXT, variants, [PROBABILITIES], size=max(len(variants), 1))
            for text, row in zip(batch, answer.outputs[PROBABILITIES], strict=True)
        ]
        return with_effects(explained, [one.probabilities[SENTIMENTS[POSITIVE]] for one in changed])

    def _explanations(self, texts: Sequence[str]) -> list[Explanation]:
        names = [PROBABILITIES, TOKENS, ATTENTION]
        return [
            explanation(
                prediction(text, row, answer.version, trained_on=said.get(TRAINED_ON)),
                tokens,
                attention,
                said.get(KNOWN),
            )
            for batch, answer in self._batches(EXPLAIN, texts, names, [KNOWN, TRAINED_ON])
            for text, row, tokens, attention, said in zip(
                batch,
                *(answer.outputs[name] for name in names),
                _rows(answer, [KNOWN, TRAINED_ON], len(batch)),
                strict=True,
            )
        ]

    def status(self) -> list[VersionStatus]:
        """Returns the states of the model's versions, newest first."""
        spec = ModelSpec(self.model)
        return self._explained(lambda spec, timeout: self._transport.status(spec.name, timeout), spec, None)

    def metadata(self) -> Metadata:
        """Returns the model's signatures."""
        return self._call(self._transport.metadata)

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _batches(
        self,
        signature: str,
        texts: Sequence[str],
        outputs: Sequence[str],
        optional: Sequence[str] = (),
        *,
        size: int | None = None,
    ) -> Iterator[tuple[Sequence[str], SignatureAnswer]]:
        if isinstance(texts, str):
            raise TypeError("texts: expected a list of reviews, got one review; write [review]")
        size = size or self.batch_size
        for start in range(0, len(texts), size):
            batch = texts[start : start + size]
            # A str can hold half of a surrogate pair, which UTF-8 cannot encode.
            sent = [text.encode(errors="replace").decode() for text in batch]

            def call(spec: ModelSpec, timeout: float, sent: Sequence[str] = sent) -> SignatureAnswer:
                answer = self._transport.predict(spec, signature, sent, [*outputs, *optional], timeout)
                _check(answer, outputs, optional, len(sent))
                return answer

            yield batch, self._call(call, signature)

    def _call(self, call: Callable[[ModelSpec, float], T], signature: str | None = None) -> T:
        if self.version is None and self.label is None and time.monotonic() >= self._unlabelled_until:
            spec = ModelSpec(self.model, label=STABLE)
            try:
                return self._retrying(call, spec)
            except TransportError as error:
                if not is_unknown_label(error):
                    raise refusal(error, self._transport, spec, signature, self.deadline) from None
                self._unlabelled_until = time.monotonic() + _UNLABELLED_SECONDS
        return self._explained(call, ModelSpec(self.model, self.version, self.label), signature)

    def _explained(self, call: Callable[[ModelSpec, float], T], spec: ModelSpec, signature: str | None) -> T:
        try:
            return self._retrying(call, spec)
        except TransportError as error:
            raise refusal(error, self._transport, spec, signature, self.deadline) from None

    def _retrying(self, call: Callable[[ModelSpec, float], T], spec: ModelSpec) -> T:
        return with_retries(lambda timeout: call(spec, timeout), retries=self.retries, deadline=self.deadline)


def _check(answer: SignatureAnswer, outputs: Sequence[str], optional: Sequence[str], count: int) -> None:
    shapes = [_shape(answer.outputs.get(name)) for name in outputs]
    # Each review has one row: a number for each sentiment, and as many tokens as weights.
    more = [answer.outputs[name] for name in optional if name in answer.outputs]
    if (
        shapes[0] != [len(SENTIMENTS)] * count
        or len(set(map(tuple, shapes[1:]))) > 1
        or len(shapes[-1]) != count
        or not all(isinstance(values, list) and len(values) == count for values in more)
    ):
        raise TransportError(
            "INTERNAL", f"the answer to {count} reviews has the wrong shape; it comes from another kind of model"
        )


def _rows(answer: SignatureAnswer, names: Sequence[str], count: int) -> list[dict[str, Any]]:
    """Returns for each review those of the outputs that the model has, by name."""
    found = [name for name in names if name in answer.outputs]
    return [{name: answer.outputs[name][place] for name in found} for place in range(count)]


def _shape(rows: Any) -> list[int]:
    nested = isinstance(rows, list) and all(isinstance(row, list) for row in rows)
    return [len(row) for row in rows] if nested else []


def _transport(target: str, tls: TLS | None) -> Transport:
    address = parse_address(target)
    # Each transport takes a third of a second to import, and a client needs only one.
    if address.rest:
        if tls and not address.encrypted:
            raise SettingsError(
                f"{target} is not encrypted, but TLS options are given; write https://{target.partition('://')[2]}"
            )
        from serving.client.rest_transport import RestTransport

        return RestTransport(address, tls)
    from serving.client.grpc_transport import GrpcTransport

    return GrpcTransport(address, tls or (TLS() if address.encrypted else None))
