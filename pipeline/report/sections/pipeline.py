"""Shows the graph of a run, with the time and memory of each node."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.history.runs import CACHED, PastRun
from pipeline.report.figures.graph_layout import GraphLayout, layout


@dataclass(frozen=True)
class NodeRow:
    """The resources that a node used."""

    node: str
    state: str  # ML Metadata's name
    seconds: float | None  # wall time; None if the node did not run
    megabytes: float | None  # peak in MiB; None if it was not measured


@dataclass(frozen=True)
class PipelineSection:
    """The nodes of a run."""

    nodes: Mapping[str, NodeRow]  # by id, in order of execution
    seconds: float | None  # wall time; None if it was not recorded
    layout: GraphLayout

    @property
    def slowest(self) -> float:
        """Seconds of the slowest node, never 0."""
        return max((row.seconds or 0.0 for row in self.nodes.values()), default=0.0) or 1.0


def describe_pipeline(run: PastRun) -> PipelineSection:
    """Describes the nodes of a run."""
    nodes = {row.node: row for row in _node_rows(run)}
    upstream = upstream_of(run)
    return PipelineSection(
        nodes=nodes,
        seconds=run.recorded.get("seconds"),
        layout=layout({node: upstream.get(node, []) for node in nodes}),
    )


def upstream_of(run: PastRun) -> Mapping[str, Sequence[str]]:
    """Returns the nodes that each node of a run waits for: as recorded, or derived from the artifacts."""
    recorded: Mapping[str, Sequence[str]] | None = run.recorded.get("upstream")
    if recorded:
        return recorded
    makers: dict[int, str] = {}
    for node in run.nodes.values():
        for artifacts in node.outputs.values():
            for artifact in artifacts:
                # A Resolver outputs what another node of the run has made.
                makers.setdefault(artifact.id, node.node)
    upstream = {}
    for node in run.nodes.values():
        taken = (artifact.id for artifacts in node.inputs.values() for artifact in artifacts)
        sources = dict.fromkeys(makers[item] for item in taken if item in makers)
        upstream[node.node] = [source for source in sources if source != node.node]
    return upstream


def _node_rows(run: PastRun) -> list[NodeRow]:
    """Lists the measured resources if the run has a record, otherwise the times in ML Metadata."""
    if run.recorded:
        keys = ("node", "state", "seconds", "peak_megabytes")
        return [NodeRow(*(row[key] for key in keys)) for row in run.recorded["nodes"]]
    return [
        NodeRow(node.node, node.state, None if node.state == CACHED else node.ended - node.started, None)
        for node in run.nodes.values()
    ]
