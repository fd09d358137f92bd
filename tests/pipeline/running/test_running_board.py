import logging

import pytest
from progress_records import about, record

from imdb_core.progress import Added, EpochEnd, NodeBegan, NodeEnded, Note, Steps
from pipeline.running.board import Board, clock


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.04, "0.0 s"), (59.9, "59.9 s"), (60, "1:00"), (125.9, "2:05"), (3599, "59:59"), (3600, "1:00:00")],
)
def test_durations_are_formatted_for_people(seconds, expected):
    assert clock(seconds) == expected


def test_a_node_is_followed_from_its_beginning_to_its_end():
    board = Board(["A", "B"])
    assert [row.state for row in board.rows] == ["pending", "pending"]
    board.update(record(NodeBegan("A")), 10.0)
    assert board.running == [board.rows[0]]
    assert board.rows[0].elapsed(12.5) == 2.5
    board.update(record(NodeEnded("A", 3.0, "done")), 13.5)
    assert board.running == []
    assert (board.rows[0].state, board.rows[0].elapsed(99.0)) == ("done", 3.0)
    board.update(record(NodeBegan("B")), 14.0)
    board.update(record(NodeEnded("B", 0.1, "cached")), 14.1)
    assert board.rows[1].state == "cached"


def test_a_node_that_was_not_announced_gets_a_row():
    board = Board([])
    board.update(record(NodeBegan("Surprise")), 0.0)
    assert [row.node for row in board.rows] == ["Surprise"]


def trainer_board(*events_and_messages) -> Board:
    board = Board(["Trainer.scalar"])
    board.update(record(NodeBegan("Trainer.scalar")), 0.0)
    for told in events_and_messages:
        board.update(record(message=told) if isinstance(told, str) else record(told), 1.0)
    return board


def test_steps_show_stage_count_and_metrics():
    board = trainer_board(Steps(1280, 22500, "examples", "epoch 2/4", {"loss": 0.25, "accuracy": 0.9}))
    assert board.rows[0].detail() == "epoch 2/4  loss 0.2500  accuracy 0.9000  1,280 of 22,500 examples"


def test_added_counts_are_summed():
    board = trainer_board(Added(256, "reviews"), Added(1000, "reviews"))
    assert board.rows[0].detail() == "1,256 reviews"
    board.update(record(NodeEnded("Trainer.scalar", 2.0, "done")), 3.0)
    assert board.rows[0].detail() == "1,256 reviews"


def test_an_ended_training_shows_its_best_epoch():
    losses = {1: 0.4, 2: 0.3, 3: 0.5}
    ends = [EpochEnd(n, 3, {"loss": 0.1, "eval loss": losses[n], "eval accuracy": n / 10}) for n in losses]
    board = trainer_board(*ends)
    assert board.rows[0].detail() == "epoch 3/3  loss 0.1000  eval loss 0.5000  eval accuracy 0.3000  3 of 3 epochs"
    board.update(record(NodeEnded("Trainer.scalar", 2.0, "done")), 3.0)
    assert board.rows[0].detail() == "best of 3 epochs: eval loss 0.3000  eval accuracy 0.2000"


def test_an_ended_training_without_eval_shows_its_last_epoch():
    board = trainer_board(EpochEnd(1, 2, {"loss": 0.2}), EpochEnd(2, 2, {"loss": 0.4}))
    board.update(record(NodeEnded("Trainer.scalar", 2.0, "done")), 3.0)
    assert board.rows[0].detail() == "2 epochs, at the end: loss 0.4000"


def test_a_plain_line_is_shown_until_the_next_event():
    board = trainer_board(Steps(1, 2, "examples"), "Trainer.scalar trial 3 of 20\n loss 0.4")
    assert board.rows[0].detail() == "trial 3 of 20 loss 0.4"
    board.update(record(Steps(2, 2, "examples")), 2.0)
    assert board.rows[0].detail() == "2 of 2 examples"


def test_a_debug_line_is_not_shown():
    board = trainer_board("working")
    board.update(record(message="a detail", level=logging.DEBUG), 2.0)
    assert board.rows[0].detail() == "working"


def test_a_note_belongs_to_the_run_not_to_a_node():
    board = Board(["Trainer"])
    board.update(record(NodeBegan("Trainer")), 0.0)
    assert board.update(record(Note("half is done")), 1.0) is None
    assert (board.note, board.rows[0].detail()) == ("half is done", "")


def test_a_line_is_ignored_while_no_node_runs():
    board = Board(["A"])
    assert board.update(record(message="hello"), 0.0) is None
    assert board.rows[0].detail() == ""


def test_records_of_nodes_side_by_side_go_to_their_own_rows():
    board = Board(["A", "B"])
    board.update(record(NodeBegan("B")), 1.0)
    board.update(record(NodeBegan("A")), 2.0)
    assert [row.node for row in board.running] == ["B", "A"]
    assert board.update(about("B", Steps(1, 2, "examples")), 3.0) is board.rows[1]
    assert board.update(about("A", Steps(5, 9, "reviews")), 3.0) is board.rows[0]
    # Without a name, a record is about the node that began last.
    assert board.update(record(message="hello"), 4.0) is board.rows[0]
    assert [row.detail() for row in board.rows] == ["hello", "1 of 2 examples"]
