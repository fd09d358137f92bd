"""Turns an error of a server or the network into one that tells the user what to do."""

import re
from collections.abc import Sequence
from typing import Final

from imdb_core.file_names import DEFAULT_MODEL
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
from serving.client.transport import UNAVAILABLE, ModelSpec, Transport, TransportError

_LOOK_UP_SECONDS: Final = 3.0
_QUOTED_CHARACTERS: Final = 300

_UNKNOWN_LABEL: Final = re.compile(r"servable version label|'version_label' set")
_UNKNOWN_SIGNATURE: Final = re.compile(r"[Ss]erving signature (key|name)\b.*not found")
_ANOTHER_PROTOCOL: Final = re.compile(r"http1\.x|HTTP/1|illegal request line|http2 header with status", re.IGNORECASE)
_TLS: Final = re.compile(r"handshake|certificate|ssl", re.IGNORECASE)


def is_unknown_label(error: TransportError) -> bool:
    """Returns whether a server refused a request because it does not have the label."""
    return error.code == "INVALID_ARGUMENT" and _UNKNOWN_LABEL.search(error.message) is not None


def refusal(
    error: TransportError, transport: Transport, spec: ModelSpec, signature: str | None, deadline: float
) -> ClientError:
    """Explains what went wrong with a request and, after looking it up in the server, what the server has instead."""
    target, quoted = transport.target, _quoted(error.message)
    if error.code == UNAVAILABLE:
        return ServerUnavailableError(f"no server answers at {target} ({quoted}); {_advice(error.message)}")
    if error.code == "DEADLINE_EXCEEDED":
        return DeadlineError(f"{target} did not answer within {deadline:g} s; allow more time or send fewer reviews")
    if is_unknown_label(error):
        return _label_not_found(transport, spec)
    if _UNKNOWN_SIGNATURE.search(error.message):
        return _signature_not_found(transport, spec, signature)
    if error.code == "NOT_FOUND":
        return _model_not_found(transport, spec)
    what = "does not speak TensorFlow Serving's API" if error.code == "UNIMPLEMENTED" else "refused"
    return RequestRefusedError(f"{target} {what}: {error.code}: {quoted or 'no message'}", error.code)


def _advice(message: str) -> str:
    if _ANOTHER_PROTOCOL.search(message):
        return (
            "the server there speaks another protocol; "
            "give host:port for gRPC, usually 8500, or http://host:port for REST, usually 8501"
        )
    if _TLS.search(message):
        return "check whether the server uses TLS, and the certificates"
    return "start one with `imdb-attention serve`, or give another address"


def _label_not_found(transport: Transport, spec: ModelSpec) -> ClientError:
    versions = _versions(transport, spec.name)
    if not versions:
        return _model_not_found(transport, spec)
    return LabelNotFoundError(
        f"no version of model {spec.name!r} at {transport.target} has the label {spec.label!r}; it has "
        f"{_listed(versions)}; set the label with `imdb-attention models promote`"
    )


def _model_not_found(transport: Transport, spec: ModelSpec) -> ClientError:
    versions = _versions(transport, spec.name)
    if versions:
        missing = "no version that is available" if spec.version is None else f"no available version {spec.version}"
        if spec.label is not None:
            missing = f"no available version with the label {spec.label!r}"
        return ModelNotFoundError(
            f"model {spec.name!r} at {transport.target} has {missing}; it has {_listed(versions)}"
        )
    # No call of the API lists models, so this tries likely names.
    names = {DEFAULT_MODEL, *transport.model_names(_LOOK_UP_SECONDS)} - {spec.name}
    others = [repr(name) for name in sorted(names) if _versions(transport, name)]
    known = f"it has {', '.join(others)}" if others else "its model config names those it has"
    return ModelNotFoundError(
        f"there is no model {spec.name!r} at {transport.target}; {known} (TensorFlow Serving cannot list its models)"
    )


def _signature_not_found(transport: Transport, spec: ModelSpec, signature: str | None) -> ClientError:
    try:
        metadata = transport.metadata(spec, _LOOK_UP_SECONDS)
    except TransportError:
        which, has = "", ""
    else:
        names = sorted(name for name in metadata.signatures if not name.startswith("__"))
        which, has = f"version {metadata.version} of ", f"; it has {', '.join(names)}"
    return SignatureNotFoundError(
        f"{which}model {spec.name!r} at {transport.target} has no signature {signature!r}{has}; the model comes from "
        "an older or another pipeline: push a new version with `imdb-attention run`"
    )


def _versions(transport: Transport, model: str) -> Sequence[VersionStatus]:
    try:
        return transport.status(model, _LOOK_UP_SECONDS)
    except TransportError:
        return ()


def _listed(versions: Sequence[VersionStatus]) -> str:
    return ", ".join(
        f"{version.version} {version.state}" + (f" ({_quoted(version.error)})" if version.error else "")
        for version in versions
    )


def _quoted(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= _QUOTED_CHARACTERS else line[:_QUOTED_CHARACTERS] + "…"
