"""Past runs and lineage as people and programs read them."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from imdb_core import modes
from pipeline.history.lineage import Step, digests
from pipeline.history.runs import CACHED, FAILED, PUSHED, UNFINISHED, PastRun
from pipeline.settings.changes import changed_settings

_COLORS: Final = {PUSHED: "green", FAILED: "red", UNFINISHED: "yellow"}
_UNKNOWN: Final = "-"
_DIGEST: Final = 12


def describe_run(run: PastRun) -> dict[str, Any]:
    """Describes a run.

    Args:
        run: a past one.

    Returns:
        JSON: id, time, outcome, preset, what differs from it, metrics by mode, winner, number of cached nodes and of
        all that the run got to, pushed version, error.
    """
    selection = run.selection
    pushed = run.artifact("Pusher", "pushed_model")
    return {
        "run_id": run.run_id,
        "started": run.started,
        "seconds": (run.record or run.failure or {}).get("seconds"),
        "outcome": run.outcome,
        "preset": run.settings.get("preset"),
        "changed": changed_settings(run.settings),
        "metrics": dict(selection["metrics"]) if selection else {},
        "winner": selection["winner"] if selection else None,
        "cached": sum(node.state == CACHED for node in run.nodes.values()),
        "nodes": len(run.nodes),
        "version": pushed.properties.get("pushed_version") if pushed and run.outcome == PUSHED else None,
        "error": (run.failure or {}).get("error"),
    }


def runs_table(runs: Sequence[PastRun]) -> Table:
    """Lays runs out, one a row.

    Args:
        runs: in the order to show.
    """
    table = Table(box=None, pad_edge=False)
    table.add_column("run", overflow="fold")
    table.add_column("outcome", no_wrap=True)
    for mode in modes.MODES:
        table.add_column(mode, justify="right", no_wrap=True)
    table.add_column("AUC", justify="right", no_wrap=True)
    table.add_column("cached", justify="right", no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True)
    table.add_column("configuration", overflow="fold")
    for run in runs:
        told = describe_run(run)
        color = _COLORS.get(told["outcome"], "default")
        table.add_row(
            told["run_id"],
            f"[{color}]{told['outcome']}[/]",
            *(_metric(told, mode, "accuracy") for mode in modes.MODES),
            _metric(told, told["winner"], "auc"),
            f"{told['cached']}/{told['nodes']}",
            _UNKNOWN if told["seconds"] is None else f"{told['seconds']:.0f} s",
            escape(_configuration(told)),
        )
    return table


def lineage_tree(step: Step) -> Tree:
    """Draws where something came from.

    Args:
        step: the last one.
    """
    tree = Tree(_line(step))
    _grow(tree, step)
    return tree


def _grow(tree: Tree, step: Step) -> None:
    for source in step.sources:
        _grow(tree.add(_line(source)), source)


def _line(step: Step) -> str:
    version = step.artifact.properties.get("pushed_version")
    name = f"[bold]{escape(step.artifact.type)}[/]" + (f" {escape(version)}" if version else "")
    if step.node is None:
        return f"{name}, made outside of the pipeline: {escape(step.artifact.uri)}"
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(step.node.started))
    made = f"{name} <- {escape(step.node.node)}, {when}"
    if step.repeated:
        return f"{made} [dim](as above)[/]"
    facts = [f"{label.replace('_', ' ')} {value[:_DIGEST]}" for label, value in digests(step.node).items()]
    source = step.node.properties.get("data_config")
    if source is not None:
        facts.append(f"source {json.loads(source)['source']}")
    return f"{made}\n[dim]{escape(', '.join([step.artifact.uri, *facts]))}[/]"


def _metric(told: Mapping[str, Any], mode: str | None, name: str) -> str:
    value = f"{told['metrics'][mode][name]:.4f}" if mode in told["metrics"] else _UNKNOWN
    return f"[bold]{value}[/]" if mode is not None and mode == told["winner"] else value


def _configuration(told: Mapping[str, Any]) -> str:
    changes = (f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in told["changed"].items())
    return " ".join([told["preset"] or _UNKNOWN, *changes])
