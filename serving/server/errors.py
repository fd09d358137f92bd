"""The one error of a failed call: a gRPC status code with TensorFlow Serving's message."""

import logging
from typing import TYPE_CHECKING, Final

import grpc

if TYPE_CHECKING:
    import tensorflow as tf

TRUNCATED: Final = "...TRUNCATED"

_LOG: Final = logging.getLogger(__name__)
_LONGEST_MESSAGE: Final = 1024

# TensorFlow and gRPC use the same numbers.
_BY_NUMBER: Final = {code.value[0]: code for code in grpc.StatusCode}

_HTTP: Final = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}


class ServingError(Exception):
    """A failed call, load or change of the config. Clients receive the code and the message.

    Args:
        code: Any code except OK.
        message: The message; cut to 1,024 characters, as TensorFlow Serving does.
    """

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        if len(message) > _LONGEST_MESSAGE:
            message = message[:_LONGEST_MESSAGE] + TRUNCATED
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message


def invalid_argument(message: str) -> ServingError:
    """Returns the error for a request that is invalid in itself."""
    return ServingError(grpc.StatusCode.INVALID_ARGUMENT, message)


def failed_precondition(message: str) -> ServingError:
    """Returns the error for a request that does not fit the state of the server or its models."""
    return ServingError(grpc.StatusCode.FAILED_PRECONDITION, message)


def from_tensorflow(error: "tf.errors.OpError") -> ServingError:
    """Converts an error of a session to its code, UNKNOWN if gRPC does not have it, and the C++ runtime's message.

    Python's sessions replace the runtime's message by one that includes the Python code that built the graph. The
    exception's context still has the original, which a C++ server answers.
    """
    original = error.__context__ if isinstance(error.__context__, type(error)) else error
    return ServingError(_BY_NUMBER.get(error.error_code, grpc.StatusCode.UNKNOWN), str(original.message))


def unexpected() -> ServingError:
    """Logs the exception that is being handled, a bug, and returns the error for the client."""
    _LOG.exception("Unexpected error while handling a request")
    return ServingError(grpc.StatusCode.INTERNAL, "internal error; see the server's log")


def http_status(code: grpc.StatusCode) -> int:
    """Returns the status of TensorFlow Serving's REST API for a code; 500 for faults of the server."""
    return _HTTP.get(code, 500)
