"""The requests of both APIs on their way to the models, the batcher and the metrics."""

import time
from dataclasses import dataclass, field
from typing import Any, Final

from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, GetModelMetadataResponse

from serving.server.api.monitoring import Metrics
from serving.server.execution import calls
from serving.server.execution.batching import Batcher
from serving.server.execution.delivery import Delivery
from serving.server.execution.request_memory import MemoryBudget, memory_of
from serving.server.execution.servable import Servable
from serving.server.execution.tensors import Arrays
from serving.server.models.manager import ModelManager

_CALLS: Final = {
    "Predict": calls.predict,
    "Classify": calls.classify,
    "Regress": calls.regress,
    "MultiInference": calls.multi_inference,
}


@dataclass(frozen=True)
class Backend:
    """Answers request messages, independently of the transport; see `execution.calls` for deadlines and errors."""

    servables: ModelManager
    batcher: Batcher
    metrics: Metrics
    memory: MemoryBudget
    _delivery: Delivery = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_delivery", Delivery(self.batcher))

    async def answer(self, api: str, request: Any, deadline: float | None) -> Any:
        """Answers a request of the RPC `Predict`, `Classify`, `Regress` or `MultiInference`."""

        async def submit(servable: Servable, *call: Any) -> Arrays:
            start = time.perf_counter()
            outputs = await self._delivery.run(servable, *call)
            self.metrics.runtime(servable.name, api, time.perf_counter() - start)
            return outputs

        with self.memory.reserved(memory_of(request)):
            response = await _CALLS[api](request, self.servables.lookup, submit, deadline)
        if api in ("Classify", "Regress"):
            given = request.input
            count = len(given.example_list.examples) + len(given.example_list_with_context.examples)
            self.metrics.examples(request.model_spec.name, count)
        return response

    def get_model_metadata(self, request: GetModelMetadataRequest) -> GetModelMetadataResponse:
        """Describes a model's signatures."""
        return calls.get_model_metadata(request, self.servables.lookup)
