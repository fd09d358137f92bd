"""A closed loop of gRPC clients: each sends its next request when it has its last answer."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import grpc
import numpy as np

_PREDICT: Final = "/tensorflow.serving.PredictionService/Predict"
_DEADLINE: Final = 60.0


@dataclass
class Answers:
    """What the clients saw.

    Attributes:
        milliseconds: of each request that succeeded.
        failures: how often each status code came.
        seconds: from the first request to the last answer.
        last: the last answer, a serialized PredictResponse.
    """

    milliseconds: list[float] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    last: bytes = b""

    def percentile(self, percent: float) -> float:
        """Returns a percentile of the latencies, in milliseconds."""
        return float(np.percentile(self.milliseconds, percent))

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.milliseconds) / self.seconds


def closed_loop(target: str, requests: Sequence[bytes], clients: int, seconds: float) -> Answers:
    """Keeps a number of clients busy.

    Requests are serialized beforehand and answers are not parsed, so that on a small machine the clients take as
    little as they can of the time that the server needs.

    Args:
        target: `host:port`.
        requests: serialized PredictRequests, sent in turn.
        clients: requests in flight at any time.
        seconds: how long.
    """
    return asyncio.run(_closed_loop(target, requests, clients, seconds))


async def _closed_loop(target: str, requests: Sequence[bytes], clients: int, seconds: float) -> Answers:
    answers = Answers()
    async with grpc.aio.insecure_channel(target, options=[("grpc.max_receive_message_length", -1)]) as channel:
        predict = channel.unary_unary(_PREDICT)
        started = time.perf_counter()

        async def client(number: int) -> None:
            turn = number
            while time.perf_counter() - started < seconds:
                sent = time.perf_counter()
                try:
                    answers.last = await predict(requests[turn % len(requests)], timeout=_DEADLINE)
                    answers.milliseconds.append(1000 * (time.perf_counter() - sent))
                except grpc.aio.AioRpcError as error:
                    answers.failures[error.code().name] = answers.failures.get(error.code().name, 0) + 1
                turn += clients

        await asyncio.gather(*(client(number) for number in range(clients)))
        answers.seconds = time.perf_counter() - started
    return answers
