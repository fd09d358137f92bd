"""One error for all that a call can fail with: a gRPC status code and TensorFlow Serving's words for it."""

from typing import TYPE_CHECKING, Final

import grpc

if TYPE_CHECKING:
    import tensorflow as tf

_LONGEST_MESSAGE: Final = 1024
_TRUNCATED: Final = "...TRUNCATED"

# TensorFlow and gRPC number their codes alike.
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
    """A call failed; clients get the code and the message.

    Args:
        code: any but OK.
        message: cut to 1,024 characters, as TensorFlow Serving does.
    """

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        if len(message) > _LONGEST_MESSAGE:
            message = message[:_LONGEST_MESSAGE] + _TRUNCATED
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message


def invalid_argument(message: str) -> ServingError:
    """The error of a request that no server could answer."""
    return ServingError(grpc.StatusCode.INVALID_ARGUMENT, message)


def from_tensorflow(error: "tf.errors.OpError") -> ServingError:
    """Says what the C++ runtime said.

    Args:
        error: what a session raised. Sessions of Python wrap the runtime's own message into tracebacks of the Python
            code that built the graph; the wrapped one is still at hand and is what a server without Python says.

    Returns:
        An error of the same code; UNKNOWN if gRPC has no such code.
    """
    original = error.__context__ if isinstance(error.__context__, type(error)) else error
    return ServingError(_BY_NUMBER.get(error.error_code, grpc.StatusCode.UNKNOWN), str(original.message))


def http_status(code: grpc.StatusCode) -> int:
    """The HTTP status of TensorFlow Serving's REST API for a code; 500 for all that are not the client's doing."""
    return _HTTP.get(code, 500)
