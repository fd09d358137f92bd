"""Retries, deadlines and invalid answers, with scripted servers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import grpc
import pytest
from scripted_servers import SERVERS, Scripted, scripted_grpc, scripted_rest

from serving.client import Client, DeadlineError, RequestRefusedError, ServerUnavailableError
from serving.client import transport as transport_module
from serving.client.transport import TransportError, with_retries

pytestmark = pytest.mark.slow


@pytest.fixture(params=sorted(SERVERS))
def scripted(request: pytest.FixtureRequest) -> Iterator[Scripted]:
    with SERVERS[request.param]() as server:
        yield server


def test_requests_to_an_unavailable_server_are_retried(scripted: Scripted) -> None:
    scripted.script.answers = ["UNAVAILABLE", "UNAVAILABLE"]
    with Client(scripted.target) as client:
        (prediction,) = client.predict(["x"])
    assert (prediction.label, prediction.probability) == ("positive", 0.75)
    assert scripted.script.asked == 3


def test_retries_end_after_the_given_number(scripted: Scripted) -> None:
    scripted.script.answers = ["UNAVAILABLE"] * 9
    with Client(scripted.target, retries=2) as client, pytest.raises(ServerUnavailableError, match="scripted UNAV"):
        client.predict(["x"])
    assert scripted.script.asked == 3


@pytest.mark.parametrize("code", ["RESOURCE_EXHAUSTED", "INTERNAL", "INVALID_ARGUMENT"])
def test_other_errors_are_not_retried(scripted: Scripted, code: str) -> None:
    scripted.script.answers = [code]
    with Client(scripted.target) as client, pytest.raises(RequestRefusedError) as caught:
        client.predict(["x"])
    assert str(caught.value) == f"{scripted.target} refused: {code}: scripted {code}"
    assert caught.value.code == code
    assert scripted.script.asked == 1


NO_LABEL = "INVALID_ARGUMENT: Unrecognized servable version label: stable"
LABELS_OFF = (
    "INVALID_ARGUMENT: ModelSpec has 'version_label' set, but it is not currently allowed by the server. "
    "See 'server_core.h'."
)


@pytest.mark.parametrize("message", [NO_LABEL, LABELS_OFF])
def test_a_server_without_the_label_stable_costs_one_extra_request_per_interval(
    scripted: Scripted, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.script.answers = [message]
    with Client(scripted.target) as client:
        for asked in (2, 3, 4):
            assert client.predict(["x"])[0].label == "positive"
            assert scripted.script.asked == asked
        monkeypatch.setattr(client, "_unlabelled_until", time.monotonic())  # as if the interval had passed
        scripted.script.answers = [message]
        assert client.predict(["x"])[0].label == "positive"
        assert scripted.script.asked == 6


def test_a_deadline_ends_a_request(scripted: Scripted) -> None:
    scripted.script.answers = ["hang"]
    start = time.monotonic()
    with Client(scripted.target, deadline=0.4) as client, pytest.raises(DeadlineError) as caught:
        client.predict(["x"])
    assert time.monotonic() - start < 5.0
    assert str(caught.value) == (
        f"{scripted.target} did not answer within 0.4 s; allow more time or send fewer reviews"
    )


def test_a_deadline_ends_retries_too(scripted: Scripted) -> None:
    scripted.script.answers = ["UNAVAILABLE"] * 1000
    start = time.monotonic()
    with Client(scripted.target, deadline=0.5, retries=1000) as client, pytest.raises(ServerUnavailableError):
        client.predict(["x"])
    assert time.monotonic() - start < 5.0


def test_a_grpc_request_carries_the_remaining_time() -> None:
    with scripted_grpc() as scripted, Client(scripted.target, deadline=2.0) as client:
        scripted.script.answers = ["UNAVAILABLE"] * 3
        client.predict(["x"])
    first, *_, last = scripted.script.seconds_left
    # Retries do not restart the deadline: three pauses take at least 0.35 s. gRPC rounds to some hundredths.
    assert last < first - 0.25 < 2.0


@pytest.mark.parametrize("kind", sorted(SERVERS))
def test_the_client_reconnects_to_a_restarted_server(kind: str) -> None:
    with SERVERS[kind]() as scripted:
        client = Client(scripted.target, retries=8)
        client.predict(["x"])
    port = int(scripted.target.rpartition(":")[2])
    with client, ExitStack() as stack:
        timer = threading.Timer(0.3, lambda: stack.enter_context(SERVERS[kind](port)))
        timer.start()
        assert client.predict(["x"])[0].probability == 0.75
        timer.join()


def test_answers_of_any_length_arrive() -> None:
    texts = ["x"] * 300_000  # 5 MB of probabilities; gRPC's own limit is 4
    with scripted_grpc() as scripted, Client(scripted.target, batch_size=len(texts)) as client:
        scripted.script.answers = [{"probabilities": [[float(n % 2), 1.0 - n % 2] for n in range(len(texts))]}]
        predictions = client.predict(texts)
    assert [prediction.label for prediction in predictions] == ["positive", "negative"] * (len(texts) // 2)


@pytest.mark.parametrize(
    "outputs",
    [
        {"probabilities": [[0.5, 0.5], [0.5, 0.5]]},  # two answers to one review
        {"probabilities": [[0.2, 0.3, 0.5]]},  # three classes
        {"probabilities": [0.5]},
        {"probabilities": 0.5},
        {"others": [[0.5, 0.5]], "more": [[0.5, 0.5]]},
    ],
    ids=str,
)
def test_an_answer_of_another_kind_of_model_is_refused(scripted: Scripted, outputs: dict[str, object]) -> None:
    scripted.script.answers = [outputs]
    with Client(scripted.target) as client, pytest.raises(RequestRefusedError, match="another kind of model"):
        client.predict(["x"])


@pytest.mark.parametrize("page", ["<html>It works!</html>", "[1]", ""])
def test_an_answer_that_is_not_a_json_object_is_refused(page: str) -> None:
    with scripted_rest() as scripted, Client(scripted.target) as client:
        scripted.script.answers = [page]
        with pytest.raises(RequestRefusedError, match="HTTP 200 without JSON: no TensorFlow Serving"):
            client.predict(["x"])


def test_a_grpc_server_without_the_api_is_refused() -> None:
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        with Client(f"localhost:{port}") as client, pytest.raises(RequestRefusedError, match="does not speak Tensor"):
            client.predict(["x"])
    finally:
        server.stop(None).wait()


class Clock:
    """A clock that only `sleep` moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)


def test_pauses_double_and_vary_and_stay_within_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    firsts = set()
    for _ in range(20):
        clock, left = Clock(), []
        monkeypatch.setattr(transport_module, "time", clock)

        def unavailable(seconds: float, left: list[float] = left) -> None:
            left.append(seconds)
            raise TransportError("UNAVAILABLE", "")

        with pytest.raises(TransportError):
            with_retries(unavailable, retries=100, deadline=10.0)
        for number, pause in enumerate(clock.pauses):
            longest = min(0.1 * 2**number, 2.0)
            assert longest / 2 <= pause <= longest
        assert clock.now < 10.0
        assert left == pytest.approx([10.0 - sum(clock.pauses[:number]) for number in range(len(left))])
        firsts.add(clock.pauses[0])
    assert len(firsts) > 1
