import io
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from progress_records import record

from imdb_core.progress import Added, EpochEnd, NodeBegan, NodeEnded, Note, Steps
from pipeline.running.plain_view import CappedLines, PlainView


class Stage:
    """A view, its output, and a clock that only the test moves."""

    def __init__(self, max_lines: int = 8, nodes: tuple[str, ...] = ("Data", "Trainer", "Pusher")):
        self.seconds = 0.0
        self.stream = io.StringIO()
        self.view = PlainView(self.stream, nodes, "3 nodes; the full log is run.log", max_lines, lambda: self.seconds)

    def tell(self, event=None, message: str = "", after: float = 0.0) -> None:
        self.seconds += after
        self.view.handle(record(event, message))

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.seconds += 1.0
            self.view.tick()

    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


def test_a_short_run_prints_a_heading_and_gives_each_training_its_own_line():
    stage = Stage()
    stage.tell(NodeBegan("Data"))
    stage.tell(Added(1600, "reviews"))
    stage.tell(NodeEnded("Data", 2.14, "done"))
    stage.tell(NodeBegan("Trainer"))
    stage.tell(EpochEnd(1, 1, {"eval loss": 0.5}))
    stage.tell(NodeEnded("Trainer", 12.0, "done"))
    stage.tell(NodeBegan("Pusher"))
    stage.tell(NodeEnded("Pusher", 0.1, "done"))
    stage.view.finish()
    assert stage.lines() == [
        "3 nodes; the full log is run.log",
        "Data 2.1 s (1,600 reviews)",
        "Trainer 12.0 s (best of 1 epoch: eval loss 0.5000)",
        "Pusher 0.1 s",
    ]


def test_a_note_gets_its_own_line_after_the_nodes_that_ended():
    stage = Stage()
    stage.tell(NodeBegan("Data"))
    stage.tell(NodeEnded("Data", 2.0, "done"))
    stage.tell(Note("1 of 2 done"))
    assert stage.lines()[1:] == ["Data 2.0 s", "1 of 2 done"]


def test_cached_nodes_share_one_line():
    stage = Stage()
    for node in ("Data", "Trainer", "Pusher"):
        stage.tell(NodeBegan(node))
        stage.tell(NodeEnded(node, 0.1, "cached"))
    stage.view.finish()
    assert stage.lines()[1:] == ["cached: Data, Trainer, Pusher"]


def test_a_long_node_is_printed_even_if_it_reports_nothing():
    stage = Stage()
    stage.tell(NodeBegan("Data"))
    stage.wait(24)
    assert len(stage.lines()) == 1
    stage.wait(1)
    assert stage.lines()[1:] == ["Data so far 25.0 s"]
    stage.tell(message="Data trial 2 of 9", after=30.0)
    assert stage.lines()[2:] == ["Data so far 55.0 s (trial 2 of 9)"]


def test_an_unfinished_node_is_printed_as_such():
    stage = Stage()
    stage.tell(NodeBegan("Data"))
    stage.tell(NodeEnded("Data", 1.0, "unfinished"))
    stage.view.finish()
    assert stage.lines()[1:] == ["Data 1.0 s (did not finish)"]


def test_a_long_run_stays_within_its_lines_and_each_training_still_ends_one():
    stage = Stage(max_lines=8)
    for trainer in ("Trainer.scalar", "Trainer.vector"):
        stage.tell(NodeBegan(trainer))
        stage.tell(EpochEnd(1, 9, {"eval loss": 0.5}))
        stage.wait(1000)
        stage.tell(NodeEnded(trainer, 1000.0, "done"))
    stage.view.finish()
    lines = stage.lines()
    assert len(lines) <= 8
    assert [line.split("; ")[-1].split(" (")[0] for line in lines if "best of" in line] == [
        "Trainer.scalar 16:40",
        "Trainer.vector 16:40",
    ]


NODES = [f"Node{number}" for number in range(5)]
TEXT = st.text(max_size=20)
EVENTS = st.one_of(
    st.builds(NodeBegan, st.sampled_from(NODES)),
    st.builds(NodeEnded, st.sampled_from(NODES), st.floats(0, 1e6), st.sampled_from(["done", "cached", "unfinished"])),
    st.builds(Steps, st.integers(0, 10**9), st.none() | st.integers(0, 10**9), TEXT, TEXT),
    st.builds(Added, st.integers(0, 10**6), TEXT),
    st.builds(EpochEnd, st.integers(1, 99), st.integers(1, 99), st.just({"eval loss": 0.5}) | st.just({"loss": 0.5})),
    st.none(),
)


@given(st.lists(st.tuples(EVENTS, TEXT, st.floats(0, 100)), max_size=60), st.integers(1, 8))
def test_the_number_of_lines_is_limited_for_any_events(told, max_lines):
    stage = Stage(max_lines)
    for event, message, after in told:
        stage.tell(event, message, after)
    stage.view.finish()
    written = stage.stream.getvalue()
    assert len(written.splitlines()) <= max_lines
    assert written.endswith("\n")


@settings(max_examples=30)
@given(st.lists(st.tuples(EVENTS, TEXT, st.integers(0, 100)), max_size=10))
def test_a_run_prints_something_every_half_minute_for_any_events(told):
    stage = Stage(8)
    stage.tell(NodeBegan("Trainer"))
    spoken = [0.0]
    length = len(stage.stream.getvalue())
    for event, message, after in told:
        for _ in range(after + 1):
            stage.wait(1)
            if len(stage.stream.getvalue()) > length:
                length = len(stage.stream.getvalue())
                spoken.append(stage.seconds)
        if not isinstance(event, NodeBegan | NodeEnded):
            stage.tell(event, message)
    assert all(later - earlier <= 30 for earlier, later in pairwise([*spoken, stage.seconds]))


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb\u2028c\x0bd"])
def test_line_breaks_in_a_text_become_spaces(text):
    stream = io.StringIO()
    lines = CappedLines(stream, 2)
    lines.write(text)
    assert len(stream.getvalue().splitlines()) == 1


def test_a_closed_pipe_does_not_stop_the_run():
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    CappedLines(Gone(), 2).write("hello")
