import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.running.schedule import run_side_by_side, upstream_of

DIAMOND = {"A": [], "B": ["A"], "C": ["A"], "D": ["B", "C"], "E": []}


def graphs() -> st.SearchStrategy[dict[str, list[str]]]:
    """Graphs of up to 8 nodes, each of which waits for some before it."""

    def graph(picks: list[list[bool]]) -> dict[str, list[str]]:
        return {
            str(node): [str(other) for other, picked in enumerate(row[:node]) if picked]
            for node, row in enumerate(picks)
        }

    return st.lists(st.lists(st.booleans(), min_size=8, max_size=8), max_size=8).map(graph)


class Recorder:
    """Runs nodes, some of which fail, and notes when."""

    def __init__(self, failing: set[str] = frozenset()) -> None:
        self.failing = failing
        self.events: list[tuple[str, str]] = []
        self.at_once = 0
        self._running = 0
        self._guard = threading.Lock()

    def __call__(self, node: str) -> None:
        with self._guard:
            self.events.append(("begin", node))
            self._running += 1
            self.at_once = max(self.at_once, self._running)
        time.sleep(0.001)
        with self._guard:
            self.events.append(("end", node))
            self._running -= 1
        if node in self.failing:
            raise ValueError(node)

    @property
    def ran(self) -> list[str]:
        return [node for what, node in self.events if what == "begin"]


def run(upstream, recorder, *, jobs=2, first=(), stop=lambda: None):
    return run_side_by_side(upstream, recorder, jobs=jobs, first=first, stop=stop)


@settings(max_examples=50)
@given(upstream=graphs(), jobs=st.integers(1, 4), failing=st.sets(st.integers(0, 7).map(str), max_size=2))
def test_each_node_runs_once_after_those_that_it_waits_for(upstream, jobs, failing):
    recorder = Recorder(failing)
    errors = run(upstream, recorder, jobs=jobs)
    place = {event: number for number, event in enumerate(recorder.events)}
    for node in recorder.ran:
        assert all(place["end", other] < place["begin", node] for other in upstream[node])
    # What depends on a node that failed does not run; everything else does, exactly once.
    blocked = {node for node in upstream if (upstream_of(node, upstream) - {node}) & failing}
    assert sorted(recorder.ran) == sorted(set(upstream) - blocked)
    assert set(errors) == failing & set(recorder.ran)
    assert all(isinstance(error, ValueError) for error in errors.values())
    assert recorder.at_once <= jobs


@settings(max_examples=50)
@given(upstream=graphs(), jobs=st.integers(1, 3), last=st.integers(0, 7).map(str))
def test_what_comes_first_is_never_more_than_the_jobs_and_alone_with_one_job(upstream, jobs, last):
    first = upstream_of(last, upstream)
    recorder, of_the_first = Recorder(), Recorder()

    def both(node: str) -> None:
        (of_the_first if node in first else recorder)(node)

    run(upstream, both, jobs=jobs, first=first)
    assert max(recorder.at_once, of_the_first.at_once) <= jobs
    assert sorted(recorder.ran + of_the_first.ran) == sorted(upstream)
    alone = Recorder()
    run(upstream, alone, jobs=1, first=first)
    assert alone.at_once <= 1
    assert alone.ran == [node for node in upstream if node in first] + [node for node in upstream if node not in first]


def test_one_job_is_the_given_order_after_what_comes_first():
    recorder = Recorder()
    run(DIAMOND, recorder, jobs=1)
    assert recorder.ran == ["A", "B", "C", "D", "E"]
    recorder = Recorder()
    run(DIAMOND, recorder, jobs=1, first={"E"})
    assert recorder.ran == ["E", "A", "B", "C", "D"]


def test_what_comes_first_waits_for_no_other_node():
    upstream = {"A": [], "Explainer": ["A"], "Report": ["A"], "B": ["A"], "C": ["B"], "D": ["B"], "Pusher": ["C", "D"]}
    pushed, both = threading.Event(), threading.Barrier(2, timeout=20)
    started: list[str] = []

    def node(name: str) -> None:
        started.append(name)
        if name == "Explainer":
            assert pushed.wait(20)
        elif name in "CD":
            both.wait()
        elif name == "Pusher":
            pushed.set()

    assert run(upstream, node, jobs=2, first=upstream_of("Pusher", upstream)) == {}
    # One job was free beside B; then C and D ran at once, beside the Explainer.
    assert started[:2] == ["A", "B"]
    assert set(started[2:5]) == {"Explainer", "C", "D"}
    assert started[5:] == ["Pusher", "Report"]


def test_independent_nodes_run_at_once():
    both = threading.Barrier(2, timeout=20)
    assert run({"A": [], "B": []}, lambda node: both.wait() and None) == {}


def test_what_comes_first_starts_before_what_could_start_too():
    gate = threading.Event()
    started: list[str] = []

    def one_by_one(node: str) -> None:
        started.append(node)
        if len(started) == 2:
            gate.set()
        gate.wait(20)

    run({"Explainer": [], "Check": [], "Pusher": []}, one_by_one, first={"Check", "Pusher"})
    assert set(started[:2]) == {"Check", "Pusher"}


def test_a_stop_ends_what_runs_and_starts_nothing_more(monkeypatch):
    stopped = threading.Event()
    started: list[str] = []

    def run_until_stopped(node: str) -> None:
        started.append(node)
        assert stopped.wait(20)

    def interrupted(*_: object, **__: object) -> None:
        while len(started) < 2:
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.running.schedule.wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run({"A": [], "B": [], "C": []}, run_until_stopped, stop=stopped.set)
    assert sorted(started) == ["A", "B"]


def test_upstream_of_a_node():
    assert upstream_of("D", DIAMOND) == {"A", "B", "C", "D"}
    assert upstream_of("E", DIAMOND) == {"E"}
    assert upstream_of("F", DIAMOND) == set()
