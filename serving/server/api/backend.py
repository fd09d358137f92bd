"""What both APIs stand on: the models, the threads that run them, and the metrics."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

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
from serving.server.execution.servable import Array, Servable
from serving.server.models.manager import ModelManager


@dataclass(frozen=True)
class _TimedRunner:
    """A Batcher whose calls are timed."""

    batcher: Batcher
    metrics: Metrics
    api: str

    def submit(
        self,
        servable: Servable,
        signature: str,
        inputs: Mapping[str, Array],
        outputs: Sequence[str] | None,
        deadline: float | None,
    ) -> "Future[dict[str, Array]]":
        start = time.perf_counter()
        future = self.batcher.submit(servable, signature, inputs, outputs, deadline)
        future.add_done_callback(lambda _: self.metrics.runtime(servable.name, self.api, time.perf_counter() - start))
        return future


@dataclass(frozen=True)
class Backend:
    """Answers requests of the gRPC API, wherever they come from.

    All methods raise ServingError; deadlines are of `time.monotonic()`, None for no limit.

    Attributes:
        servables: the models.
        batcher: runs them.
        metrics: of what is done.
    """

    servables: ModelManager
    batcher: Batcher
    metrics: Metrics

    async def predict(self, request: predict_pb2.PredictRequest, deadline: float | None) -> predict_pb2.PredictResponse:
        """Runs a signature on tensors."""
        return await calls.predict(request, self.servables, self._runner("Predict"), deadline)

    async def classify(
        self, request: classification_pb2.ClassificationRequest, deadline: float | None
    ) -> classification_pb2.ClassificationResponse:
        """Runs a classification signature on tf.Examples."""
        response = await calls.classify(request, self.servables, self._runner("Classify"), deadline)
        self.metrics.examples(request.model_spec.name, _count(request.input))
        return response

    async def regress(
        self, request: regression_pb2.RegressionRequest, deadline: float | None
    ) -> regression_pb2.RegressionResponse:
        """Runs a regression signature on tf.Examples."""
        response = await calls.regress(request, self.servables, self._runner("Regress"), deadline)
        self.metrics.examples(request.model_spec.name, _count(request.input))
        return response

    async def multi_inference(
        self, request: inference_pb2.MultiInferenceRequest, deadline: float | None
    ) -> inference_pb2.MultiInferenceResponse:
        """Runs several signatures on the same tf.Examples."""
        return await calls.multi_inference(request, self.servables, self._runner("MultiInference"), deadline)

    def get_model_metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Tells a model's signatures."""
        return calls.get_model_metadata(request, self.servables)

    def get_model_status(
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Tells the state of a model's versions."""
        return self.servables.status(request)

    def reload(self, config: model_server_config_pb2.ModelServerConfig, deadline: float | None) -> None:
        """Replaces the config; blocks until its models are loaded."""
        self.servables.reload(config, deadline)

    def _runner(self, api: str) -> _TimedRunner:
        return _TimedRunner(self.batcher, self.metrics, api)


def _count(examples: input_pb2.Input) -> int:
    return len(examples.example_list.examples) + len(examples.example_list_with_context.examples)
