"""Places the nodes of a run for drawing: in layers, each below what it needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.history.runs import PastRun

WIDTH: Final = 188
HEIGHT: Final = 46
_GAP: Final = (22, 34)
_SWEEPS: Final = 4


@dataclass(frozen=True)
class Box:
    """A node in the picture.

    Attributes:
        node: its id.
        x: left edge.
        y: upper edge.
    """

    node: str
    x: float
    y: float


@dataclass(frozen=True)
class Layout:
    """A picture.

    Attributes:
        boxes: the nodes.
        edges: from the middle of a lower edge to the middle of an upper one: x1, y1, x2, y2.
        width: of all.
        height: of all.
    """

    boxes: list[Box]
    edges: list[tuple[float, float, float, float]]
    width: float
    height: float


def upstream_of(run: PastRun) -> dict[str, list[str]]:
    """For each node of a run the nodes that it waits for: as recorded, or as its artifacts tell.

    Args:
        run: a past one.
    """
    recorded = (run.record or run.failure or {}).get("upstream")
    if recorded:
        return {node: list(sources) for node, sources in recorded.items()}
    makers: dict[int, str] = {}
    for node in run.nodes.values():
        for artifacts in node.outputs.values():
            for artifact in artifacts:
                # A Resolver gives out what another node of the run has made.
                makers.setdefault(artifact.id, node.node)
    upstream = {}
    for node in run.nodes.values():
        taken = (artifact.id for artifacts in node.inputs.values() for artifact in artifacts)
        sources = dict.fromkeys(makers[item] for item in taken if item in makers)
        upstream[node.node] = [source for source in sources if source != node.node]
    return upstream


def layout(upstream: Mapping[str, Sequence[str]]) -> Layout:
    """Places nodes so that edges point down, with few crossings.

    Edges that others imply are left out: what A gives to B and both to C is drawn as A, B, C.

    Args:
        upstream: for each node the nodes that it waits for, no cycles; each node after those.
    """
    ancestors: dict[str, set[str]] = {}
    layer: dict[str, int] = {}
    for node, sources in upstream.items():
        ancestors[node] = {item for source in sources for item in (source, *ancestors[source])}
        layer[node] = max((layer[source] + 1 for source in sources), default=0)
    direct = {
        node: [source for source in sources if not any(source in ancestors[other] for other in sources)]
        for node, sources in upstream.items()
    }
    rows: list[list[str]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    for node in upstream:
        rows[layer[node]].append(node)
    across = _order(rows, direct)
    widest = max(map(len, rows), default=0)
    width = widest * (WIDTH + _GAP[0]) - _GAP[0]
    boxes = {
        node: Box(node, across[node] * (WIDTH + _GAP[0]), number * (HEIGHT + _GAP[1]))
        for number, row in enumerate(rows)
        for node in row
    }
    edges = [
        (boxes[source].x + WIDTH / 2, boxes[source].y + HEIGHT, boxes[node].x + WIDTH / 2, boxes[node].y)
        for node, sources in direct.items()
        for source in sources
    ]
    return Layout(list(boxes.values()), edges, width, len(rows) * (HEIGHT + _GAP[1]) - _GAP[1])


def _order(rows: list[list[str]], direct: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Column of each node: its row centred, and in it by the mean column of what it is joined to."""
    joined: dict[str, list[str]] = {node: list(sources) for node, sources in direct.items()}
    for node, sources in direct.items():
        for source in sources:
            joined[source].append(node)
    widest = max(map(len, rows), default=0)
    across: dict[str, float] = {}
    for _ in range(_SWEEPS):
        for row in rows:
            row.sort(key=lambda node: _mean([across[other] for other in joined[node] if other in across]))
            across.update({node: (widest - len(row)) / 2 + place for place, node in enumerate(row)})
    return across


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
