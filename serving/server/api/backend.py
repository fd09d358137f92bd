"""The requests of both APIs on their way to the models, the batcher and the metrics."""

import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    input_pb2,
    predict_pb2,
    regression_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

from serving.server.api.monitoring import Metrics
from serving.server.execution import calls
from serving.server.execution.batching import Batcher
from serving.server.execution.servable import Servable
from serving.server.execution.tensors import Arrays
from serving.server.models.manager import ModelManager


@dataclass(frozen=True)
class Backend:
    """Answers request messages, independently of the transport.

    All methods raise ServingError. Deadlines are times of `time.monotonic()`, None for no limit.

    Attributes:
        servables: The models.
        batcher: Runs the calls.
        metrics: Metrics of the calls.
    """

    servables: ModelManager
    batcher: Batcher
    metrics: Metrics

    async def predict(self, request: predict_pb2.PredictRequest, deadline: float | None) -> predict_pb2.PredictResponse:
        """Runs a signature on tensors."""
        return await calls.predict(request, self.servables.lookup, self._timed("Predict"), deadline)

    async def classify(
        self, request: classification_pb2.ClassificationRequest, deadline: float | None
    ) -> classification_pb2.ClassificationResponse:
        """Runs a classification signature on tf.Examples."""
        response = await calls.classify(request, self.servables.lookup, self._timed("Classify"), deadline)
        self.metrics.examples(request.model_spec.name, _count(request.input))
        return response

    async def regress(
        self, request: regression_pb2.RegressionRequest, deadline: float | None
    ) -> regression_pb2.RegressionResponse:
        """Runs a regression signature on tf.Examples."""
        response = await calls.regress(request, self.servables.lookup, self._timed("Regress"), deadline)
        self.metrics.examples(request.model_spec.name, _count(request.input))
        return response

    async def multi_inference(
        self, request: inference_pb2.MultiInferenceRequest, deadline: float | None
    ) -> inference_pb2.MultiInferenceResponse:
        """Runs several signatures on the same tf.Examples."""
        return await calls.multi_inference(request, self.servables.lookup, self._timed("MultiInference"), deadline)

    def get_model_metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Describes a model's signatures."""
        return calls.get_model_metadata(request, self.servables.lookup)

    def get_model_status(
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Reports the state of a model's versions."""
        return self.servables.status(request)

    def reload(self, config: model_server_config_pb2.ModelServerConfig, deadline: float | None) -> None:
        """Replaces the config and waits until its models are loaded."""
        self.servables.reload(config, deadline)

    def _timed(self, api: str) -> calls.Submit:
        """Returns `Batcher.submit`, with the calls' durations counted for an RPC."""

        def submit(servable: Servable, *call: Any) -> Future[Arrays]:
            start = time.perf_counter()
            future = self.batcher.submit(servable, *call)
            future.add_done_callback(lambda _: self.metrics.runtime(servable.name, api, time.perf_counter() - start))
            return future

        return submit


def _count(examples: input_pb2.Input) -> int:
    return len(examples.example_list.examples) + len(examples.example_list_with_context.examples)
