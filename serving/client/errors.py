"""Errors of the client that a person can act on.

    ReviewPipelineError
    └── ClientError
        ├── ServerUnavailableError    nothing answers there, or not for now
        ├── DeadlineError             no answer in time
        ├── ModelNotFoundError        the server has no such model or version
        │   └── LabelNotFoundError    no version has that label
        ├── SignatureNotFoundError    the model has no such signature: it is older than what it is asked for
        ├── RequestRefusedError       the server answers with any other error
        ├── ReviewFileError           a file or line of reviews cannot be read, or the output cannot be written
        └── BulkInferenceError        batch inference without a server cannot be done

What the server said itself is quoted in the message.
"""

from imdb_core.errors import ReviewPipelineError


class ClientError(ReviewPipelineError):
    """Base of all errors of the client."""


class ServerUnavailableError(ClientError):
    """Nothing answers there, or not for now."""


class DeadlineError(ClientError):
    """No answer in time."""


class ModelNotFoundError(ClientError):
    """The server has no such model or version."""


class LabelNotFoundError(ModelNotFoundError):
    """No version has that label."""


class SignatureNotFoundError(ClientError):
    """The model has no such signature: it is older than what it is asked for."""


class RequestRefusedError(ClientError):
    """The server answers with any other error.

    Args:
        message: for a person.
        code: of gRPC's status codes, like `RESOURCE_EXHAUSTED`.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class ReviewFileError(ClientError):
    """A file or line of reviews cannot be read, or the output cannot be written."""


class BulkInferenceError(ClientError):
    """Batch inference without a server cannot be done."""
