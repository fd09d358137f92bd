from pipeline.report.figures.graph_layout import HEIGHT, WIDTH, layout

DIAMOND = {"source": [], "left": ["source"], "right": ["source"], "end": ["left", "right", "source"]}


def test_nodes_are_below_the_nodes_they_wait_for_and_apart():
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
