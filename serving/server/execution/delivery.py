"""Results on their way from the batcher's threads to the event loop."""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial

from serving.server.execution.batching import Batcher
from serving.server.execution.servable import Servable
from serving.server.execution.tensors import Arrays


class Delivery:
    """Wakes the event loop once for all results that are there, because each wake-up is a system call.

    While the loop sends the answers, the batcher knows that their clients may call again.

    Args:
        batcher: Runs the calls.
    """

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher
        self._there: deque[tuple[asyncio.Future[Arrays], Future[Arrays]]] = deque()
        self._is_woken = False

    async def run(
        self,
        servable: Servable,
        signature: str,
        inputs: Arrays,
        outputs: Sequence[str] | None = None,
        deadline: float | None = None,
    ) -> Arrays:
        """Runs a call through the batcher and waits for its result, as `Batcher.submit` describes it."""
        return await self.result(self._batcher.submit(servable, signature, inputs, outputs, deadline))

    async def result(self, running: Future[Arrays]) -> Arrays:
        """Waits for a call's result; cancelling the wait cancels the call.

        Args:
            running: The future that `Batcher.submit` returned.

        Raises:
            ServingError: The call failed.
        """
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Arrays] = loop.create_future()
        running.add_done_callback(partial(self._arrived, loop, waiting))
        try:
            return await waiting
        except asyncio.CancelledError:
            running.cancel()
            raise

    def _arrived(
        self, loop: asyncio.AbstractEventLoop, waiting: asyncio.Future[Arrays], finished: Future[Arrays]
    ) -> None:
        """Runs in a thread of the batcher."""
        self._there.append((waiting, finished))
        # A result that comes after the loop has begun to hand results out either is among them or wakes the loop again.
        if not self._is_woken:
            self._is_woken = True
            self._batcher.begin_answers()
            loop.call_soon_threadsafe(self._hand_out, loop)

    def _hand_out(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_woken = False
        while self._there:
            waiting, finished = self._there.popleft()
            if waiting.done():  # the client is gone
                continue
            error = None if finished.cancelled() else finished.exception()
            if finished.cancelled():
                waiting.cancel()
            elif error is not None:
                waiting.set_exception(error)
            else:
                waiting.set_result(finished.result())
        # The loop runs those who waited first, in the order in which their results were set.
        loop.call_soon(self._batcher.end_answers)
