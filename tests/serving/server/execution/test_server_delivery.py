import asyncio
import threading
from concurrent.futures import Future

import numpy as np
import pytest

from serving.server.errors import invalid_argument
from serving.server.execution.delivery import Delivery


class Answers:
    """Stands for the batcher, and notes when answers are sent."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def begin_answers(self) -> None:
        self.events.append("begin")

    def end_answers(self) -> None:
        self.events.append("end")


def outputs(value: int) -> dict[str, np.ndarray]:
    return {"y": np.array([value])}


def in_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_results_that_are_there_together_wake_the_loop_once():
    answers = Answers()
    delivery = Delivery(answers)
    running = [Future() for _ in range(5)]
    got = []

    async def wait(future: Future) -> None:
        got.append(int((await delivery.result(future))["y"][0]))
        answers.events.append("answer")

    async def main() -> None:
        tasks = [asyncio.create_task(wait(future)) for future in running]
        await asyncio.sleep(0)
        in_thread(lambda: [future.set_result(outputs(number)) for number, future in enumerate(running)])
        await asyncio.gather(*tasks)
        await asyncio.sleep(0)

    asyncio.run(main())
    assert got == [0, 1, 2, 3, 4]
    assert answers.events == ["begin", *["answer"] * 5, "end"]


def test_every_begin_has_its_end_with_results_at_any_time():
    answers = Answers()
    delivery = Delivery(answers)

    async def main() -> int:
        running = [Future() for _ in range(200)]
        tasks = [asyncio.create_task(delivery.result(future)) for future in running]
        await asyncio.sleep(0)
        setter = threading.Thread(
            target=lambda: [future.set_result(outputs(number)) for number, future in enumerate(running)]
        )
        setter.start()
        results = await asyncio.gather(*tasks)
        setter.join()
        await asyncio.sleep(0)
        return sum(int(result["y"][0]) for result in results)

    assert asyncio.run(main()) == sum(range(200))
    assert answers.events.count("begin") == answers.events.count("end") >= 1


def test_an_error_is_raised_where_the_result_is_awaited():
    async def main() -> None:
        failed: Future = Future()
        failed.set_exception(invalid_argument("wrong"))
        await Delivery(Answers()).result(failed)

    with pytest.raises(Exception, match="wrong"):
        asyncio.run(main())


def test_a_client_that_is_gone_takes_its_call_from_the_queue():
    async def main() -> Future:
        queued: Future = Future()
        waiting = asyncio.create_task(Delivery(Answers()).result(queued))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return queued

    assert asyncio.run(main()).cancelled()


def test_a_call_that_is_cancelled_elsewhere_ends_the_wait():
    async def main() -> None:
        queued: Future = Future()
        waiting = asyncio.create_task(Delivery(Answers()).result(queued))
        await asyncio.sleep(0)
        in_thread(queued.cancel)
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())


def test_a_result_of_a_run_that_ended_after_the_client_left_is_dropped():
    async def main() -> None:
        running: Future = Future()
        waiting = asyncio.create_task(Delivery(Answers()).result(running))
        await asyncio.sleep(0)
        running.set_running_or_notify_cancel()
        waiting.cancel()
        in_thread(lambda: running.set_result(outputs(1)))
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
