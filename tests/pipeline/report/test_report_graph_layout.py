from made_runs import PUSHED

from imdb_core.file_names import RUN_FILE
from pipeline.history.runs import find_run
from pipeline.report.graph_layout import HEIGHT, WIDTH, layout, upstream_of

DIAMOND = {"source": [], "left": ["source"], "right": ["source"], "end": ["left", "right", "source"]}


def test_nodes_stand_below_what_they_need_and_apart():
    placed = layout(DIAMOND)
    boxes = {box.node: box for box in placed.boxes}
    assert boxes["source"].y < boxes["left"].y == boxes["right"].y < boxes["end"].y
    assert abs(boxes["left"].x - boxes["right"].x) >= WIDTH
    assert boxes["source"].x == boxes["end"].x == (placed.width - WIDTH) / 2
    assert placed.height == boxes["end"].y + HEIGHT


def test_edges_that_others_imply_are_left_out():
    assert len(layout(DIAMOND).edges) == 4


def test_no_nodes_make_no_picture():
    assert layout({}).boxes == []


def test_what_a_node_waits_for_is_recorded_or_told_by_its_artifacts(made):
    made.pushed_run()
    upstream = upstream_of(find_run(made.connection, made.workspace))
    assert upstream["Predictions.modes"] == ["ImdbExampleGen", "Trainer.vector", "Trainer.scalar"]
    assert upstream["ImdbExampleGen"] == []
    made.record(PUSHED, RUN_FILE, upstream={"A": [], "B": ["A"]})
    assert upstream_of(find_run(made.connection, made.workspace)) == {"A": [], "B": ["A"]}
