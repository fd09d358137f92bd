"""The client: asks any TensorFlow Serving for sentiments and what they rest on."""

import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Final

from imdb_core.errors import SettingsError
from imdb_core.features import SENTIMENTS
from imdb_core.signatures import ATTENTION, EXPLAIN, PROBABILITIES, SERVE_TEXT, TOKENS
from serving.client.refusals import DEFAULT_MODEL, knows_no_label, refusal
from serving.client.results import Explanation, Metadata, Prediction, VersionStatus, explanation, prediction
from serving.client.tls import TLS
from serving.client.transport import Answer, ModelSpec, Result, StatusError, Transport, with_retries

DEFAULT_TARGET: Final = "localhost:8500"
STABLE: Final = "stable"

# So often is looked again whether a server that had no label `stable` has one now.
_UNLABELLED_SECONDS: Final = 10.0


class Client:
    """Asks one model of one server; it may be shared by threads. Use it in a `with` statement, or close it.

    Args:
        target: `host:port` for gRPC (also `grpc://host:port`, or `unix:///path`), or `http://host:port` or
            `https://host:port` for REST.
        model: its name.
        version: a certain version.
        label: the version that has it. With neither, the one with the label `stable` if there is one, else the newest.
        deadline: seconds for one request, its retries included.
        retries: how often a request is repeated while the server is unavailable; after any other error it is not.
        batch_size: longest request, in reviews.
        tls: encrypts gRPC; for https what is needed beside the system's certificates.

    Raises:
        SettingsError: these make no sense.
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
        """Asks for the sentiment of reviews.

        Args:
            texts: reviews.

        Returns:
            One for each.

        Raises:
            ClientError: see `serving.client.errors`.
        """
        return [
            prediction(text, row, answer.version)
            for batch, answer in self._answers(SERVE_TEXT, texts, [PROBABILITIES])
            for text, row in zip(batch, answer.outputs[PROBABILITIES], strict=True)
        ]

    def explain(self, texts: Sequence[str]) -> list[Explanation]:
        """Asks for the sentiment of reviews, and where the network looked.

        Args:
            texts: reviews.

        Returns:
            One for each.

        Raises:
            SignatureNotFoundError: the model is older than `explain`.
            ClientError: see `serving.client.errors`.
        """
        names = [PROBABILITIES, TOKENS, ATTENTION]
        return [
            explanation(prediction(text, row, answer.version), tokens, attention)
            for batch, answer in self._answers(EXPLAIN, texts, names)
            for text, row, tokens, attention in zip(batch, *(answer.outputs[name] for name in names), strict=True)
        ]

    def status(self) -> list[VersionStatus]:
        """Tells the states of the model's versions, newest first.

        Raises:
            ClientError: see `serving.client.errors`.
        """
        spec = ModelSpec(self.model)
        try:
            return self._retrying(lambda spec, timeout: self._transport.status(spec.name, timeout), spec)
        except StatusError as error:
            raise refusal(error, self._transport, spec, None, self.deadline) from None

    def metadata(self) -> Metadata:
        """Tells the model's signatures.

        Raises:
            ClientError: see `serving.client.errors`.
        """
        return self._ask(self._transport.metadata)

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answers(
        self, signature: str, texts: Sequence[str], outputs: Sequence[str]
    ) -> Iterator[tuple[Sequence[str], Answer]]:
        if isinstance(texts, str):
            raise TypeError("texts: expected a list of reviews, got one review; write [review]")
        for start in range(0, len(texts), self.batch_size):
            batch = texts[start : start + self.batch_size]
            # Half a surrogate pair, which a str can hold, is no text.
            sent = [text.encode(errors="replace").decode() for text in batch]

            def call(spec: ModelSpec, timeout: float, sent: Sequence[str] = sent) -> Answer:
                answer = self._transport.predict(spec, signature, sent, outputs, timeout)
                _check(answer, outputs, len(sent))
                return answer

            yield batch, self._ask(call, signature)

    def _ask(self, call: Callable[[ModelSpec, float], Result], signature: str | None = None) -> Result:
        if self.version is None and self.label is None and time.monotonic() >= self._unlabelled_until:
            spec = ModelSpec(self.model, label=STABLE)
            try:
                return self._retrying(call, spec)
            except StatusError as error:
                if not knows_no_label(error):
                    raise refusal(error, self._transport, spec, signature, self.deadline) from None
                self._unlabelled_until = time.monotonic() + _UNLABELLED_SECONDS
        spec = ModelSpec(self.model, self.version, self.label)
        try:
            return self._retrying(call, spec)
        except StatusError as error:
            raise refusal(error, self._transport, spec, signature, self.deadline) from None

    def _retrying(self, call: Callable[[ModelSpec, float], Result], spec: ModelSpec) -> Result:
        return with_retries(lambda timeout: call(spec, timeout), retries=self.retries, deadline=self.deadline)


def _check(answer: Answer, outputs: Sequence[str], count: int) -> None:
    shapes = [_shape(answer.outputs.get(name)) for name in outputs]
    # One row for each review: a number for each sentiment, and as many tokens as weights.
    if shapes[0] != [len(SENTIMENTS)] * count or len(set(map(tuple, shapes[1:]))) > 1 or len(shapes[-1]) != count:
        raise StatusError("INTERNAL", f"{count} reviews were sent, and the answer is that of another kind of model")


def _shape(rows: Any) -> list[int]:
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        return []
    return [len(row) for row in rows]


def _transport(target: str, tls: TLS | None) -> Transport:
    scheme, separator, rest = target.partition("://")
    if separator and (scheme not in {"grpc", "http", "https", "unix"} or not rest):
        raise SettingsError(f"{target}: a server is host:port (gRPC), http://host:port or https://host:port (REST)")
    # Each needs a third of a second to import, and one client one of them.
    if separator and scheme in {"http", "https"}:
        if tls and scheme == "http":
            raise SettingsError(f"{target} is not encrypted, but TLS is asked for; write https://{rest}")
        from serving.client.rest_transport import RestTransport

        return RestTransport(target, tls)
    from serving.client.grpc_transport import GrpcTransport

    return GrpcTransport(rest if scheme == "grpc" else target, tls)
