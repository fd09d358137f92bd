"""Renders past runs and lineage for the terminal, and describes runs as JSON for programs."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from imdb_core import modes
from pipeline.history.lineage import LineageStep
from pipeline.history.runs import CACHED, FAILED, PUSHED, UNFINISHED, PastRun
from pipeline.settings import changed_settings

_COLORS: Final = {PUSHED: "green", FAILED: "red", UNFINISHED: "yellow"}
_UNKNOWN: Final = "-"
_DIGEST_LENGTH: Final = 12


def describe_run(run: PastRun) -> dict[str, Any]:
    """Describes a run.

    Returns:
        JSON: `run_id`, `started`, `seconds`, `outcome`, `preset`, the settings `changed` from the preset, `metrics` by
        mode, `winner`, the number of `cached` nodes and of all `nodes` that the run reached, the pushed `version` and
        the `error`.
    """
    selection = run.selection
    pushed = run.artifact("Pusher", "pushed_model")
    return {
        "run_id": run.run_id,
        "started": run.started,
        "seconds": run.recorded.get("seconds"),
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
    """Draws a table with one run per row."""
    table = Table(box=None, pad_edge=False)
    table.add_column("run", overflow="fold")
    table.add_column("outcome", no_wrap=True)
    table.add_column("winner", no_wrap=True)
    for title in (*modes.MODES, "AUC", "cached", "took"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("configuration", overflow="fold")
    for run in runs:
        described = describe_run(run)
        color = _COLORS.get(described["outcome"], "default")
        table.add_row(
            described["run_id"],
            f"[{color}]{described['outcome']}[/]",
            described["winner"] or _UNKNOWN,
            *(_metric(described, mode, "accuracy") for mode in modes.MODES),
            _metric(described, described["winner"], "auc"),
            f"{described['cached']}/{described['nodes']}",
            _UNKNOWN if described["seconds"] is None else f"{described['seconds']:.0f} s",
            escape(_configuration(described)),
        )
    return table


def lineage_tree(step: LineageStep) -> Tree:
    """Draws the artifact of a step and the artifacts that it was made from."""
    tree = Tree(_line(step))
    _grow(tree, step)
    return tree


def _grow(tree: Tree, step: LineageStep) -> None:
    for source in step.sources:
        _grow(tree.add(_line(source)), source)


def _line(step: LineageStep) -> str:
    version = step.artifact.properties.get("pushed_version")
    name = f"[bold]{escape(step.artifact.type)}[/]" + (f" {escape(version)}" if version else "")
    if step.node is None:
        return f"{name}, made outside of the pipeline: {escape(step.artifact.uri)}"
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(step.node.started))
    made = f"{name} <- {escape(step.node.node)}, {when}"
    if step.repeated:
        return f"{made} [dim](as above)[/]"
    facts = [f"{label.replace('_', ' ')} {value[:_DIGEST_LENGTH]}" for label, value in step.digests.items()]
    source = step.node.properties.get("data_config")
    if source is not None:
        facts.append(f"source {json.loads(source)['source']}")
    return f"{made}\n[dim]{escape(', '.join([step.artifact.uri, *facts]))}[/]"


def _metric(described: Mapping[str, Any], mode: str | None, name: str) -> str:
    value = f"{described['metrics'][mode][name]:.4f}" if mode in described["metrics"] else _UNKNOWN
    return f"[bold]{value}[/]" if mode is not None and mode == described["winner"] else value


def _configuration(described: Mapping[str, Any]) -> str:
    changes = (f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in described["changed"].items())
    return " ".join([described["preset"] or _UNKNOWN, *changes])
