"""Errors of the client that the user can correct. The messages quote the server's own words where there are any."""

from imdb_core.errors import ReviewPipelineError


class ClientError(ReviewPipelineError):
    """Base of all errors of the client."""


class ServerUnavailableError(ClientError):
    """No server answers at the address, or it is unavailable for the moment."""


class DeadlineError(ClientError):
    """The server does not answer in time."""


class ModelNotFoundError(ClientError):
    """The server does not serve this model or version."""


class LabelNotFoundError(ModelNotFoundError):
    """No version of the model has this label."""


class SignatureNotFoundError(ClientError):
    """The model does not have this signature: it is older than the request."""


class RequestRefusedError(ClientError):
    """The server answers with an error that no other class covers; `code` is gRPC's, such as `RESOURCE_EXHAUSTED`."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class ReviewFileError(ClientError):
    """Reviews cannot be read from a file, or predictions cannot be written to one."""


class BulkInferenceError(ClientError):
    """Batch inference without a server fails: there is no model, or it cannot be run."""
