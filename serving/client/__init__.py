"""Client library: sentiment and attention of reviews from any TensorFlow Serving, by gRPC or REST.

Example:
    with Client("localhost:8500") as client:
        for prediction in client.predict(["A film I will not forget."]):
            print(prediction.label, prediction.probability)

The public names:
    Client: Sends reviews to one model of one server.
    TLS: Certificates of an encrypted connection, given to `Client`.
    Prediction: The sentiment of one review, from `Client.predict`.
    Explanation: A Prediction with the attention of each word, from `Client.explain`.
    VersionStatus: The state of one version of the model, from `Client.status`.
    Metadata, Signature, TensorSpec: The signatures of a version with their inputs and outputs, from `Client.metadata`.
    ClientError: The base of the errors below.
    ServerUnavailableError: No server answers at the address.
    DeadlineError: The server does not answer in time.
    ModelNotFoundError: The server does not serve this model or version.
    LabelNotFoundError: A ModelNotFoundError: no version of the model has this label.
    SignatureNotFoundError: The model does not have this signature.
    RequestRefusedError: The server answers with any other error.
    ReviewFileError: Reviews cannot be read from a file, or predictions cannot be written to one.
    BulkInferenceError: Batch inference without a server fails (`imdb-attention predict --beam`).
"""

from serving.client.client import Client
from serving.client.errors import (
    BulkInferenceError,
    ClientError,
    DeadlineError,
    LabelNotFoundError,
    ModelNotFoundError,
    RequestRefusedError,
    ReviewFileError,
    ServerUnavailableError,
    SignatureNotFoundError,
)
from serving.client.results import Explanation, Metadata, Prediction, Signature, TensorSpec, VersionStatus
from serving.client.tls import TLS

__all__ = [
    "TLS",
    "BulkInferenceError",
    "Client",
    "ClientError",
    "DeadlineError",
    "Explanation",
    "LabelNotFoundError",
    "Metadata",
    "ModelNotFoundError",
    "Prediction",
    "RequestRefusedError",
    "ReviewFileError",
    "ServerUnavailableError",
    "Signature",
    "SignatureNotFoundError",
    "TensorSpec",
    "VersionStatus",
]
