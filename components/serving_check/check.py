"""What a model must show in a real server before it is pushed."""

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import grpc
import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_service_pb2_grpc
from tfx.utils import io_utils

from components.network import attention, word_dropout  # noqa: F401 - the latter: Keras finds its layers by import
from components.network.export import serialized_example
from components.network.model import explaining_model
from imdb_core import features, signatures
from imdb_core.errors import RunError
from imdb_core.settings import ServingSettings
from imdb_core.signatures import CLASSIFY_INPUTS, SCORES
from serving.launch import launched_server
from serving.runtime.cpp_loader import CppSavedModel

TOLERANCE: Final = 1e-5
PERCENTILE: Final = 95

_Answers = Mapping[str, npt.NDArray[Any]]
# Signature -> its argument, and which of its outputs the trained model gives too, under which name.
_COMPARED: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    signatures.SERVING_DEFAULT: ("examples", {signatures.PROBABILITIES: signatures.PROBABILITIES}),
    signatures.SERVE_TEXT: ("text", {signatures.PROBABILITIES: signatures.PROBABILITIES}),
    signatures.EXPLAIN: (
        "text",
        {signatures.PROBABILITIES: signatures.PROBABILITIES, signatures.ATTENTION: signatures.ATTENTION},
    ),
    signatures.CLASSIFY: (CLASSIFY_INPUTS, {SCORES: signatures.PROBABILITIES}),
}
_TAKE_EXAMPLES: Final = (signatures.SERVING_DEFAULT, signatures.CLASSIFY)


@dataclass
class Outcome:
    """What the check found.

    Attributes:
        problems: one sentence each; none means that the model may be pushed.
        reviews: number of reviews sent, the empty one included.
        greatest_difference: between a served number and that of the trained model, by signature.
        latency_ms: `p50` and `p95` of requests with one review each.
    """

    problems: list[str] = field(default_factory=list)
    reviews: int = 0
    greatest_difference: dict[str, float] = field(default_factory=dict)
    latency_ms: dict[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """Returns all of it as JSON."""
        return {"passed": self.passed, **asdict(self)}


def check_serving(
    saved_model: str, trained_model: str, transform_output: str, texts: Sequence[bytes], settings: ServingSettings
) -> Outcome:
    """Serves a model and compares what clients get with what was trained.

    The token ids of the comparison are those of the Transform graph, so a difference between training and serving
    shows whether it is in the tokens or in the network.

    Args:
        saved_model: folder of the candidate.
        trained_model: the `.keras` file that the Trainer wrote.
        transform_output: folder of the Transform graph.
        texts: reviews, UTF-8.
        settings: time limits.

    Returns:
        The outcome; a model that cannot be loaded or answers wrongly is a problem in it, not an exception.
    """
    texts = [b"", *texts]
    outcome = Outcome(reviews=len(texts))
    expected = trained_answers(trained_model, transform_output, texts)
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


def trained_answers(trained_model: str, transform_output: str, texts: Sequence[bytes]) -> _Answers:
    """Sends reviews through the Transform graph and the Keras model.

    Args:
        trained_model: a `.keras` file.
        transform_output: folder of the Transform graph.
        texts: `n` reviews, UTF-8.

    Returns:
        `probabilities` float32 `[n, 2]` and `attention` float32 `[n, max_tokens]`.
    """
    layer = tft.TFTransformOutput(transform_output).transform_features_layer()
    token_ids = layer({features.TEXT: tf.constant(list(texts), tf.string)[:, tf.newaxis]})[features.TOKEN_IDS]
    model = explaining_model(keras.saving.load_model(trained_model, compile=False))
    probabilities, weights = model(token_ids, training=False)
    return {signatures.PROBABILITIES: np.asarray(probabilities), signatures.ATTENTION: np.asarray(weights)}


def _query(
    target: str, texts: Sequence[bytes], expected: _Answers, settings: ServingSettings, outcome: Outcome
) -> None:
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(target, options=unlimited) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

        def predict(signature: str, inputs: Mapping[str, Any]) -> _Answers:
            request = predict_pb2.PredictRequest(
                model_spec=model_pb2.ModelSpec(name=settings.model_name, signature_name=signature),
                inputs={name: tf.make_tensor_proto(values, tf.string) for name, values in inputs.items()},
            )
            response = stub.Predict(request, timeout=settings.check_timeout)
            return {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}

        try:
            _compare("server", predict, texts, expected, outcome)
            latencies = []
            for text in texts:
                started = time.perf_counter()
                predict(signatures.SERVE_TEXT, {"text": [text]})
                latencies.append(1000 * (time.perf_counter() - started))
        except grpc.RpcError as error:
            outcome.problems.append(f"the server answered {error.code().name}: {error.details()}")
            return
    outcome.latency_ms = {
        f"p{percent}": float(np.percentile(latencies, percent, method="higher")) for percent in (50, PERCENTILE)
    }
    if outcome.latency_ms[f"p{PERCENTILE}"] > settings.max_latency_ms:
        outcome.problems.append(
            f"{PERCENTILE}% of single reviews were answered within {outcome.latency_ms[f'p{PERCENTILE}']:.1f} ms; "
            f"serving.max_latency_ms allows {settings.max_latency_ms:g}"
        )


def _compare(where: str, run: Any, texts: Sequence[bytes], expected: _Answers, outcome: Outcome) -> None:
    for signature, (argument, outputs) in _COMPARED.items():
        inputs = [serialized_example(text) for text in texts] if signature in _TAKE_EXAMPLES else list(texts)
        answers = run(signature, {argument: inputs})
        for output, name in outputs.items():
            difference = _difference(answers.get(output), expected[name])
            key = f"{where}, {signature}"
            outcome.greatest_difference[key] = max(difference, outcome.greatest_difference.get(key, 0.0))
            if not difference <= TOLERANCE:
                outcome.problems.append(
                    f"{output} of signature {signature!r} differs by {difference:.3g} from the trained model "
                    f"({where}); at most {TOLERANCE:g} is allowed"
                )


def _difference(served: npt.NDArray[Any] | None, trained: npt.NDArray[Any]) -> float:
    if served is None or served.shape != trained.shape or not np.all(np.isfinite(served)):
        return float("inf")
    return float(np.max(np.abs(served - trained), initial=0.0))
