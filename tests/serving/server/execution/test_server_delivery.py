import asyncio
import threading
import time
from collections import deque
from concurrent.futures import Future

import numpy as np
import pytest

from serving.server.errors import invalid_argument
from serving.server.execution.delivery import Delivery


class Scripted:
    """Stands for the batcher: returns these futures, and notes when the loop has been idle."""

    def __init__(self, *running: Future) -> None:
        self.running = deque(running)
        self.is_waiting = False
        self.settled: list[float] = []

    def submit(self, *call: object) -> Future:
        return self.running.popleft()

    def settle(self) -> None:
        self.settled.append(time.monotonic())


async def run(delivery: Delivery) -> dict[str, np.ndarray]:
    return await delivery.run(None, "serving_default", {})


def outputs(value: int) -> dict[str, np.ndarray]:
    return {"y": np.array([value])}


def in_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_results_that_are_there_together_wake_the_loop_once(monkeypatch):
    running = [Future() for _ in range(5)]
    delivery = Delivery(Scripted(*running))
    woken = []

    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        wake = loop.call_soon_threadsafe
        monkeypatch.setattr(loop, "call_soon_threadsafe", lambda *call: woken.append(1) or wake(*call))
        tasks = [asyncio.create_task(run(delivery)) for _ in running]
        await asyncio.sleep(0)
        in_thread(lambda: [future.set_result(outputs(number)) for number, future in enumerate(running)])
        return [int((await task)["y"][0]) for task in tasks]

    assert asyncio.run(main()) == [0, 1, 2, 3, 4]
    assert len(woken) == 1


def test_results_arrive_whenever_they_come():
    running = [Future() for _ in range(200)]
    delivery = Delivery(Scripted(*running))

    async def main() -> int:
        tasks = [asyncio.create_task(run(delivery)) for _ in running]
        await asyncio.sleep(0)
        setter = threading.Thread(
            target=lambda: [future.set_result(outputs(number)) for number, future in enumerate(running)]
        )
        setter.start()
        results = await asyncio.gather(*tasks)
        setter.join()
        return sum(int(result["y"][0]) for result in results)

    assert asyncio.run(main()) == sum(range(200))


def test_the_wait_for_calls_ends_when_the_loop_has_been_idle_and_not_while_it_is_busy():
    batcher = Scripted(Future(), Future())
    delivery = Delivery(batcher)

    async def main() -> float:
        batcher.is_waiting = True
        tasks = [asyncio.create_task(run(delivery))]
        for _ in range(5):  # steps of requests that are being read
            await asyncio.sleep(0)
            time.sleep(0.002)
        tasks.append(asyncio.create_task(run(delivery)))
        await asyncio.sleep(0)
        latest = time.monotonic()
        assert batcher.settled == []
        while not batcher.settled:
            await asyncio.sleep(0.001)
        for task in tasks:
            task.cancel()
        return batcher.settled[0] - latest

    assert asyncio.run(main()) >= 0.0015  # four ticks, of which the first may be under way


def test_a_loop_for_which_nothing_waits_is_not_watched():
    done: Future = Future()
    done.set_result(outputs(1))
    batcher = Scripted(done)

    async def main() -> None:
        await run(Delivery(batcher))
        await asyncio.sleep(0.02)

    asyncio.run(main())
    assert batcher.settled == []


def test_an_error_is_raised_where_the_result_is_awaited():
    failed: Future = Future()
    failed.set_exception(invalid_argument("wrong"))
    with pytest.raises(Exception, match="wrong"):
        asyncio.run(run(Delivery(Scripted(failed))))


def test_a_client_that_is_gone_takes_its_call_from_the_queue():
    queued: Future = Future()

    async def main() -> None:
        waiting = asyncio.create_task(run(Delivery(Scripted(queued))))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
    assert queued.cancelled()


def test_a_call_that_is_cancelled_elsewhere_ends_the_wait():
    queued: Future = Future()

    async def main() -> None:
        waiting = asyncio.create_task(run(Delivery(Scripted(queued))))
        await asyncio.sleep(0)
        in_thread(queued.cancel)
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())


def test_a_result_of_a_run_that_ended_after_the_client_left_is_dropped():
    running: Future = Future()

    async def main() -> None:
        waiting = asyncio.create_task(run(Delivery(Scripted(running))))
        await asyncio.sleep(0)
        running.set_running_or_notify_cancel()
        waiting.cancel()
        in_thread(lambda: running.set_result(outputs(1)))
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
