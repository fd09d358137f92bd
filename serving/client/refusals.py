"""Makes of what a server or the network says an error that tells a person what to do."""

import re
from collections.abc import Sequence
from typing import Final

from serving.client.errors import (
    ClientError,
    DeadlineError,
    LabelNotFoundError,
    ModelNotFoundError,
    RequestRefusedError,
    ServerUnavailableError,
    SignatureNotFoundError,
)
from serving.client.results import VersionStatus
from serving.client.transport import UNAVAILABLE, ModelSpec, StatusError, Transport

DEFAULT_MODEL: Final = "imdb_attention"

_LOOK_UP_SECONDS: Final = 3.0
_QUOTED_CHARACTERS: Final = 300

_UNKNOWN_LABEL: Final = re.compile(r"servable version label|'version_label' set")
_UNKNOWN_SIGNATURE: Final = re.compile(r"[Ss]erving signature (key|name)\b.*not found")
_ANOTHER_PROTOCOL: Final = re.compile(r"http1\.x|HTTP/1|illegal request line|http2 header with status", re.IGNORECASE)
_TLS: Final = re.compile(r"handshake|certificate|ssl", re.IGNORECASE)


def knows_no_label(error: StatusError) -> bool:
    """Whether a server refused because of a label that it does not know.

    Args:
        error: what it said.
    """
    return error.code == "INVALID_ARGUMENT" and _UNKNOWN_LABEL.search(error.message) is not None


def refusal(
    error: StatusError, transport: Transport, spec: ModelSpec, signature: str | None, deadline: float
) -> ClientError:
    """Explains what went wrong; it asks the server what it has instead.

    Args:
        error: what the server or the network said.
        transport: to the server.
        spec: of the model that was asked.
        signature: that was asked for.
        deadline: seconds that the request could take.
    """
    target, said = transport.target, _quoted(error.message)
    if error.code == UNAVAILABLE:
        return ServerUnavailableError(f"no server answers at {target} ({said}); {_advice(target, error.message)}")
    if error.code == "DEADLINE_EXCEEDED":
        return DeadlineError(f"{target} did not answer within {deadline:g} s; allow more time or send fewer reviews")
    if knows_no_label(error):
        return _label_not_found(transport, spec)
    if _UNKNOWN_SIGNATURE.search(error.message):
        return _signature_not_found(transport, spec, signature)
    if error.code == "NOT_FOUND":
        return _model_not_found(transport, spec)
    what = "does not speak TensorFlow Serving's API" if error.code == "UNIMPLEMENTED" else "refused"
    return RequestRefusedError(f"{target} {what}: {error.code}: {said or 'without a word'}", error.code)


def _advice(target: str, message: str) -> str:
    if _ANOTHER_PROTOCOL.search(message):
        return (
            "another protocol is spoken there; gRPC is host:port, usually 8500, and REST http://host:port, usually 8501"
        )
    if _TLS.search(message):
        return "check whether the server uses TLS, and the certificates"
    return "start one with `imdb-attention serve`, or give the address of another"


def _label_not_found(transport: Transport, spec: ModelSpec) -> ClientError:
    versions = _versions(transport, spec.name)
    if not versions:
        return _model_not_found(transport, spec)
    return LabelNotFoundError(
        f"no version of model {spec.name!r} at {transport.target} has the label {spec.label!r}; it has "
        f"{_in_words(versions)}; give one its label with `imdb-attention models promote`"
    )


def _model_not_found(transport: Transport, spec: ModelSpec) -> ClientError:
    versions = _versions(transport, spec.name)
    if versions:
        wanted = "no version that is available" if spec.version is None else f"no available version {spec.version}"
        if spec.label is not None:
            wanted = f"nothing available under the label {spec.label!r}"
        return ModelNotFoundError(
            f"model {spec.name!r} at {transport.target} has {wanted}; it has {_in_words(versions)}"
        )
    # The API has no call that lists models: these are names to try.
    names = {DEFAULT_MODEL, *transport.model_names(_LOOK_UP_SECONDS)} - {spec.name}
    others = [repr(name) for name in sorted(names) if _versions(transport, name)]
    known = f"it has {', '.join(others)}" if others else "its model config names those it has"
    return ModelNotFoundError(
        f"there is no model {spec.name!r} at {transport.target}; {known} (TensorFlow Serving cannot be asked for all)"
    )


def _signature_not_found(transport: Transport, spec: ModelSpec, signature: str | None) -> ClientError:
    try:
        metadata = transport.metadata(spec, _LOOK_UP_SECONDS)
    except StatusError:
        which, has = "", ""
    else:
        names = sorted(name for name in metadata.signatures if not name.startswith("__"))
        which, has = f"version {metadata.version} of ", f"; it has {', '.join(names)}"
    return SignatureNotFoundError(
        f"{which}model {spec.name!r} at {transport.target} has no signature {signature!r}{has}; it comes from an older "
        "or another pipeline: push a version with `imdb-attention run`"
    )


def _versions(transport: Transport, model: str) -> Sequence[VersionStatus]:
    try:
        return transport.status(model, _LOOK_UP_SECONDS)
    except StatusError:
        return ()


def _in_words(versions: Sequence[VersionStatus]) -> str:
    return ", ".join(
        f"{version.version} {version.state}" + (f" ({_quoted(version.error)})" if version.error else "")
        for version in versions
    )


def _quoted(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= _QUOTED_CHARACTERS else line[:_QUOTED_CHARACTERS] + "…"
