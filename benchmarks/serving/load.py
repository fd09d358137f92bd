"""A closed loop of gRPC clients: each client sends its next request after the response to the previous one."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import grpc
import numpy as np

from imdb_core.connections import DIRECT

_PREDICT: Final = "/tensorflow.serving.PredictionService/Predict"
_DEADLINE: Final = 60.0
_OPTIONS: Final = (("grpc.max_receive_message_length", -1), *DIRECT)


@dataclass
class LoadResult:
    """The responses that the clients received."""

    milliseconds: list[float] = field(default_factory=list)  # latency of each successful request
    failures: dict[str, int] = field(default_factory=dict)  # by status code
    seconds: float = 0.0  # from the first request to the last response
    last: bytes = b""  # the last response, a serialized PredictResponse

    def percentile(self, percent: float) -> float:
        """Returns a percentile of the latencies in milliseconds."""
        return float(np.percentile(self.milliseconds, percent))

    @property
    def rate(self) -> float:
        """Successful requests per second."""
        return len(self.milliseconds) / self.seconds


def closed_loop(target: str, requests: Sequence[bytes], clients: int, seconds: float) -> LoadResult:
    """Keeps a number of clients busy for some seconds, each with one request in flight.

    Requests are serialized in advance and sent in turn, and responses are not parsed, so that on a small machine the
    clients leave as much CPU time as possible to the server.
    """
    return asyncio.run(_closed_loop(target, requests, clients, seconds))


async def _closed_loop(target: str, requests: Sequence[bytes], clients: int, seconds: float) -> LoadResult:
    result = LoadResult()
    async with grpc.aio.insecure_channel(target, options=_OPTIONS) as channel:
        predict = channel.unary_unary(_PREDICT)
        started = time.perf_counter()

        async def client(number: int) -> None:
            turn = number
            while time.perf_counter() - started < seconds:
                sent = time.perf_counter()
                try:
                    result.last = await predict(requests[turn % len(requests)], timeout=_DEADLINE)
                    result.milliseconds.append(1000 * (time.perf_counter() - sent))
                except grpc.aio.AioRpcError as error:
                    result.failures[error.code().name] = result.failures.get(error.code().name, 0) + 1
                turn += clients

        await asyncio.gather(*(client(number) for number in range(clients)))
        result.seconds = time.perf_counter() - started
    return result
