"""The requests of both APIs on their way to the models, the batcher and the metrics."""

import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from tensorflow_serving.apis.classification_pb2 import ClassificationRequest, ClassificationResponse
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, GetModelMetadataResponse
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest, MultiInferenceResponse
from tensorflow_serving.apis.input_pb2 import Input
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.apis.regression_pb2 import RegressionRequest, RegressionResponse

from serving.server.api.monitoring import Metrics
from serving.server.execution import calls
from serving.server.execution.batching import Batcher
from serving.server.execution.servable import Servable
from serving.server.execution.tensors import Arrays
from serving.server.models.manager import ModelManager


@dataclass(frozen=True)
class Backend:
    """Answers request messages, independently of the transport; see `execution.calls` for deadlines and errors.

    Attributes:
        servables: The models.
        batcher: Runs the calls.
        metrics: Metrics of the calls.
    """

    servables: ModelManager
    batcher: Batcher
    metrics: Metrics

    async def predict(self, request: PredictRequest, deadline: float | None) -> PredictResponse:
        """Runs a signature on tensors."""
        return await calls.predict(request, self.servables.lookup, self._timed("Predict"), deadline)

    async def classify(self, request: ClassificationRequest, deadline: float | None) -> ClassificationResponse:
        """Runs a classification signature on tf.Examples."""
        response = await calls.classify(request, self.servables.lookup, self._timed("Classify"), deadline)
        self.metrics.examples(request.model_spec.name, _count(request.input))
        return response

    async def regress(self, request: RegressionRequest, deadline: float | None) -> RegressionResponse:
        """Runs a regression signature on tf.Examples."""
        response = await calls.regress(request, self.servables.lookup, self._timed("Regress"), deadline)
        self.metrics.examples(request.model_spec.name, _count(request.input))
        return response

    async def multi_inference(self, request: MultiInferenceRequest, deadline: float | None) -> MultiInferenceResponse:
        """Runs several signatures on the same tf.Examples."""
        return await calls.multi_inference(request, self.servables.lookup, self._timed("MultiInference"), deadline)

    def get_model_metadata(self, request: GetModelMetadataRequest) -> GetModelMetadataResponse:
        """Describes a model's signatures."""
        return calls.get_model_metadata(request, self.servables.lookup)

    def _timed(self, api: str) -> calls.Submit:
        """Returns `Batcher.submit`, with the calls' durations counted for an RPC."""

        def submit(servable: Servable, *call: Any) -> Future[Arrays]:
            start = time.perf_counter()
            future = self.batcher.submit(servable, *call)
            future.add_done_callback(lambda _: self.metrics.runtime(servable.name, api, time.perf_counter() - start))
            return future

        return submit


def _count(examples: Input) -> int:
    return len(examples.example_list.examples) + len(examples.example_list_with_context.examples)
