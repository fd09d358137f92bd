"""Calls on their way from the event loop to the batcher's threads, and results on their way back."""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from typing import Final

from serving.server.execution.batching import Batcher
from serving.server.execution.servable import Servable
from serving.server.execution.tensors import Arrays

# Each is at least one iteration of the event loop, in which a request that is being read makes a step.
_TICK_SECONDS: Final = 0.0005
_IDLE_TICKS: Final = 4


class Delivery:
    """Wakes the event loop once for all results that are there, because each wake-up is a system call.

    While answers are sent and requests are read, the batcher waits for the next calls; when the loop has been idle, it
    waits no longer.

    Args:
        batcher: Runs the calls.
    """

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher
        self._there: deque[tuple[asyncio.Future[Arrays], Future[Arrays]]] = deque()
        self._is_woken = False
        self._is_ticking = False
        self._is_idle = False  # since the latest tick

    async def run(
        self,
        servable: Servable,
        signature: str,
        inputs: Arrays,
        outputs: Sequence[str] | None = None,
        deadline: float | None = None,
    ) -> Arrays:
        """Runs a call and waits for its result, as `Batcher.submit` describes it; cancelling the wait cancels the call.

        Raises:
            ServingError: The call was refused or failed.
        """
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Arrays] = loop.create_future()
        running = self._batcher.submit(servable, signature, inputs, outputs, deadline)
        running.add_done_callback(partial(self._arrived, loop, waiting))
        self._stir(loop)
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
        self._stir(loop)

    def _stir(self, loop: asyncio.AbstractEventLoop) -> None:
        """Notes that the loop is not idle, and watches it while calls wait for others."""
        self._is_idle = False
        if not self._is_ticking and self._batcher.is_waiting:
            self._is_ticking = True
            loop.call_later(_TICK_SECONDS, self._tick, loop, 0)

    def _tick(self, loop: asyncio.AbstractEventLoop, idle: int) -> None:
        idle = idle + 1 if self._is_idle else 0
        self._is_idle = True
        if idle < _IDLE_TICKS and self._batcher.is_waiting:
            loop.call_later(_TICK_SECONDS, self._tick, loop, idle)
            return
        self._is_ticking = False
        self._batcher.settle()
