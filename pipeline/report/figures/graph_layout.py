"""Lays out a graph of nodes in layers, each node below the nodes that it waits for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

# Size of a node, in the units of the picture.
WIDTH: Final = 188
HEIGHT: Final = 46
_GAP: Final = (22, 34)
_SWEEPS: Final = 4


@dataclass(frozen=True)
class NodeBox:
    """A node in the picture; `x` and `y` are its upper left corner."""

    node: str
    x: float
    y: float
    width: float = WIDTH
    height: float = HEIGHT


@dataclass(frozen=True)
class GraphLayout:
    """The layout of a graph."""

    boxes: list[NodeBox]
    edges: list[tuple[float, float, float, float]]  # x1, y1, x2 and y2, from a lower edge's middle to an upper's
    width: float
    height: float


def layout(upstream: Mapping[str, Sequence[str]]) -> GraphLayout:
    """Places nodes so that edges point down and few of them cross.

    Edges that other edges imply are left out: if C waits for A and B, and B waits for A, the edge from A to C is.

    Args:
        upstream: The nodes that each node waits for, without cycles; each node comes after those.
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
        node: NodeBox(node, across[node] * (WIDTH + _GAP[0]), number * (HEIGHT + _GAP[1]))
        for number, row in enumerate(rows)
        for node in row
    }
    edges = [
        (boxes[source].x + WIDTH / 2, boxes[source].y + HEIGHT, boxes[node].x + WIDTH / 2, boxes[node].y)
        for node, sources in direct.items()
        for source in sources
    ]
    return GraphLayout(list(boxes.values()), edges, width, len(rows) * (HEIGHT + _GAP[1]) - _GAP[1])


def _order(rows: list[list[str]], direct: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Assigns columns: rows are centred, and the nodes of a row sorted by the mean column of their neighbours."""
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
