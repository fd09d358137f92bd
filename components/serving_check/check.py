"""Compares what a model answers in a real server with what was trained."""

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tfx.utils import io_utils

from components.graph_functions import graph_function
from components.network.export import predict_request, signature_inputs
from components.network.model import explaining_model, load_trained_model
from imdb_core import features, signatures
from imdb_core.connections import DIRECT
from imdb_core.errors import RunError
from imdb_core.settings import ServingSettings
from serving.launch import launched_server
from serving.runtime.cpp_loader import CppSavedModel

_TOLERANCE: Final = 1e-5

_Outputs = Mapping[str, npt.NDArray[Any]]
# For each signature: its outputs to compare → the trained model's output that each must equal.
_COMPARED: Final[Mapping[str, Mapping[str, str]]] = {
    signatures.SERVING_DEFAULT: {signatures.PROBABILITIES: signatures.PROBABILITIES},
    signatures.SERVE_TEXT: {signatures.PROBABILITIES: signatures.PROBABILITIES},
    signatures.EXPLAIN: {
        signatures.PROBABILITIES: signatures.PROBABILITIES,
        signatures.ATTENTION: signatures.ATTENTION,
    },
    signatures.CLASSIFY: {signatures.SCORES: signatures.PROBABILITIES},
}


@dataclass
class CheckOutcome:
    """The outcome of a serving check.

    Attributes:
        problems: One sentence for each problem. The model may be pushed if there are none.
        reviews: Number of reviews sent, including the empty one.
        greatest_difference: The greatest difference from the trained model's numbers, by runtime and signature.
        latency_ms: `p50` and `p95` of requests with one review each.
    """

    problems: list[str] = field(default_factory=list)
    reviews: int = 0
    greatest_difference: dict[str, float] = field(default_factory=dict)
    latency_ms: dict[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether there are no problems."""
        return not self.problems


def check_serving(
    saved_model: str, trained_model: str, transform_output: str, texts: Sequence[bytes], settings: ServingSettings
) -> CheckOutcome:
    """Serves a model and compares its answers with those of the trained model.

    The trained model gets its token ids from the Transform graph, so the comparison covers tokenization too. A model
    that cannot be loaded or answers incorrectly is a problem in the outcome, not an exception.

    Args:
        saved_model: The candidate's folder.
        trained_model: The `.keras` file that the Trainer wrote.
        transform_output: The folder of the Transform graph.
        texts: Reviews, UTF-8.
        settings: Name of the model and time limits.
    """
    texts = [b"", *texts]
    outcome = CheckOutcome(reviews=len(texts))
    expected = _trained_outputs(trained_model, transform_output, texts)
    try:
        with CppSavedModel(saved_model) as model:
            _compare("C++ loader", model.run, texts, expected, outcome)
    except RunError as error:
        outcome.problems.append(str(error))
    with tempfile.TemporaryDirectory(prefix="serving-check-") as base:
        io_utils.copy_dir(saved_model, os.path.join(base, "1"))
        try:
            with launched_server(
                f"--model_name={settings.model_name}",
                f"--model_base_path={base}",
                "--max_num_load_retries=0",
                timeout=settings.check_timeout,
            ) as server:
                _query(server.target, texts, expected, settings, outcome)
        except RunError as error:
            outcome.problems.append(str(error))
    return outcome


def _trained_outputs(trained_model: str, transform_output: str, texts: Sequence[bytes]) -> _Outputs:
    """Sends reviews through the Transform graph and the Keras model."""
    layer = tft.TFTransformOutput(transform_output).transform_features_layer()
    token_ids = layer({features.TEXT: tf.constant(list(texts), tf.string)[:, tf.newaxis]})[features.TOKEN_IDS]
    model = graph_function(explaining_model(load_trained_model(trained_model)))
    probabilities, weights = model(token_ids, training=False)
    return {signatures.PROBABILITIES: np.asarray(probabilities), signatures.ATTENTION: np.asarray(weights)}


def _query(
    target: str, texts: Sequence[bytes], expected: _Outputs, settings: ServingSettings, outcome: CheckOutcome
) -> None:
    unlimited = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
    with grpc.insecure_channel(target, options=(*unlimited, *DIRECT)) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

        def predict(signature: str, inputs: Mapping[str, Any]) -> _Outputs:
            request = predict_request(settings.model_name, signature, inputs)
            response = stub.Predict(request, timeout=settings.check_timeout)
            return {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}

        try:
            _compare("server", predict, texts, expected, outcome)
            latencies = []
            for text in texts:
                started = time.perf_counter()
                predict(signatures.SERVE_TEXT, signature_inputs(signatures.SERVE_TEXT, [text]))
                latencies.append(1000 * (time.perf_counter() - started))
        except grpc.RpcError as error:
            outcome.problems.append(f"the server answered {error.code().name}: {error.details()}")
            return
    median, slow = (float(np.percentile(latencies, percent, method="higher")) for percent in (50, 95))
    outcome.latency_ms = {"p50": median, "p95": slow}
    if slow > settings.max_latency_ms:
        outcome.problems.append(
            f"95% of single reviews were answered within {slow:.1f} ms; "
            f"serving.max_latency_ms allows {settings.max_latency_ms:g}"
        )


def _compare(where: str, run: Any, texts: Sequence[bytes], expected: _Outputs, outcome: CheckOutcome) -> None:
    for signature, outputs in _COMPARED.items():
        served = run(signature, signature_inputs(signature, texts))
        for output, name in outputs.items():
            difference = _difference(served.get(output), expected[name])
            key = f"{where}, {signature}"
            outcome.greatest_difference[key] = max(difference, outcome.greatest_difference.get(key, 0.0))
            if not difference <= _TOLERANCE:
                outcome.problems.append(
                    f"{output} of signature {signature!r} differs by {difference:.3g} from the trained model "
                    f"({where}); at most {_TOLERANCE:g} is allowed"
                )


def _difference(served: npt.NDArray[Any] | None, trained: npt.NDArray[Any]) -> float:
    if served is None or served.shape != trained.shape or not np.all(np.isfinite(served)):
        return float("inf")
    return float(np.max(np.abs(served - trained), initial=0.0))
