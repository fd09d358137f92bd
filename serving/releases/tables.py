"""Releases as tables for users and as JSON for programs."""

import textwrap
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.table import Column, Table

from serving.names import STABLE
from serving.releases.journal import Entry
from serving.releases.state import ReleaseState
from serving.releases.versions import Release

if TYPE_CHECKING:  # it imports NumPy, which a list of versions does not need
    from serving.releases.compare import VersionComparison

_METRICS: Final = (("accuracy", "accuracy"), ("AUC", "auc"), ("log loss", "log_loss"))
_UNKNOWN: Final = "-"
_WIDTH_OF_ALL: Final = 110
_SHOWN_FLIPS: Final = 10
_SHOWN_CHARACTERS: Final = 100


def describe(state: ReleaseState) -> list[dict[str, Any]]:
    """Describes each version for programs, newest first: its `release.json`, path, size and role in serving."""
    return [
        {
            "version": number,
            "path": str(version.path),
            "megabytes": round(version.megabytes, 3),
            "live": number == state.live,
            "loaded": number in state.loaded,
            "labels": _labels(state, number),
            "rollback_target": number == state.previous,
            "release": version.release.model_dump(mode="json") if version.release else None,
        }
        for number, version in sorted(state.versions.items(), reverse=True)
    ]


def versions_table(state: ReleaseState, width: int) -> Table:
    """Makes a table of the versions, newest first; on a narrow terminal it leaves out sizes and runs."""
    columns = [
        Column("version", no_wrap=True),
        Column("live", min_width=8),
        Column("pushed", min_width=10),
        Column("mode", no_wrap=True),
        *(Column(title, justify="right", no_wrap=True) for title, _ in _METRICS),
        Column("blessed", no_wrap=True),
        Column("MB", justify="right", no_wrap=True),
        Column("run", no_wrap=True),
    ]
    shown = columns if width >= _WIDTH_OF_ALL else columns[:-2]
    table = Table(*shown, box=None, pad_edge=False)
    for number, version in sorted(state.versions.items(), reverse=True):
        release = version.release
        metrics = release.metrics if release else {}
        cells = [
            str(number),
            _role(state, number),
            time.strftime("%Y-%m-%d %H:%M", time.localtime(release.pushed_at)) if release else _UNKNOWN,
            (release.mode if release else None) or _UNKNOWN,
            *(f"{metrics[name]:.4f}" if name in metrics else _UNKNOWN for _, name in _METRICS),
            _blessed(release),
            f"{version.megabytes:.1f}",
            (release.run_id if release else None) or _UNKNOWN,
        ]
        table.add_row(*cells[: len(shown)])
    return table


def notes(state: ReleaseState) -> list[str]:
    """Returns notes on what the table of versions does not show."""
    lines = []
    if not state.managed:
        lines.append("No version was promoted yet: each push goes live by itself.")
    newest = max(state.loaded, default=None)
    if newest != state.live:
        lines.append(f"Requests that name neither label nor version get {newest}, the largest loaded.")
    missing = sorted(set(state.labels.values()) - set(state.versions))
    if missing:
        lines.append(f"Labelled, but not on disk: {', '.join(map(str, missing))}.")
    if state.unrecorded:
        lines.append("models.config was changed by hand since the last entry of the journal.")
    return lines


def history_table(entries: Sequence[Entry]) -> Table:
    """Makes a table of the journal, newest entry first, from its entries, oldest first."""
    table = Table("when", "who", "action", "label", "from", "to", "why", box=None, pad_edge=False)
    for entry in reversed(entries):
        table.add_row(
            entry.when,
            entry.who,
            entry.action,
            entry.label or _UNKNOWN,
            *(_UNKNOWN if number is None else str(number) for number in (entry.before, entry.after)),
            f"removed {', '.join(map(str, entry.removed))}" if entry.removed else entry.why,
        )
    return table


def comparison_table(comparison: "VersionComparison") -> Table:
    """Makes a table of two versions, one in each row."""
    table = Table("", "version", "p50 ms", "p99 ms", "accuracy", box=None, pad_edge=False)
    for side in comparison.sides:
        table.add_row(
            side.name,
            ", ".join(map(str, side.versions)),
            *(f"{side.latency_ms[name]:.1f}" for name in ("p50", "p99")),
            _UNKNOWN if side.accuracy is None else f"{side.accuracy:.4f}",
        )
    return table


def comparison_lines(comparison: "VersionComparison") -> list[str]:
    """Returns lines on how often two versions agree, and on the reviews with the widest disagreement."""
    first, second = (side.name for side in comparison.sides)
    agreed = comparison.reviews - len(comparison.flips)
    lines = [
        f"Agreement: {agreed} of {comparison.reviews} reviews ({100 * comparison.agreement:.1f}%); probabilities "
        f"differ by {comparison.greatest_difference:.3g} at most."
    ]
    shown = comparison.flips[:_SHOWN_FLIPS]
    if shown:
        which = "all" if len(shown) == len(comparison.flips) else f"{len(shown)} of {len(comparison.flips)}"
        lines.append(f"Flips ({which}; {first} -> {second}, with the probability of positive):")
    for flip in shown:
        truth = f", labelled {flip.sentiment}" if flip.sentiment else ""
        lines.append(
            f"  {flip.sentiments[0]} {flip.positive[0]:.3f} -> {flip.sentiments[1]} {flip.positive[1]:.3f}{truth}: "
            + textwrap.shorten(flip.text, _SHOWN_CHARACTERS, placeholder="…")
        )
    return lines


def _blessed(release: Release | None) -> str:
    said = {name: blessing.blessed for name, blessing in release.blessings.items()} if release else {}
    if not said:
        return _UNKNOWN
    return "yes" if all(said.values()) else "no: " + ", ".join(name for name, blessed in said.items() if not blessed)


def _labels(state: ReleaseState, number: int) -> list[str]:
    return sorted(label for label, version in state.labels.items() if version == number)


def _role(state: ReleaseState, number: int) -> str:
    roles = _labels(state, number)
    if number == state.live and STABLE not in roles:
        roles.append("live")
    if number == state.previous:
        roles.append("previous")
    return ", ".join(roles)
