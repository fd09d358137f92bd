"""The client: sentiment and attention of reviews from any TensorFlow Serving.

Example:
    with Client("localhost:8500") as client:
        for prediction in client.predict(["A film I will not forget."]):
            print(prediction.label, prediction.probability)
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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


def __getattr__(name: str) -> Any:
    # The command line imports this package before it knows whether anything will be asked.
    if name in __all__:
        module = {"Client": "client", "TLS": "tls"}.get(name, "errors" if name.endswith("Error") else "results")
        return getattr(importlib.import_module(f"serving.client.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
