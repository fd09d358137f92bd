from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from serving.releases import journal
from serving.releases.errors import ReleaseError
from serving.releases.journal import Entry


def moved(action: str, before: int | None, after: int | None, label: str = "stable") -> Entry:
    return Entry(model="critic", action=action, label=label, before=before, after=after)


def test_an_entry_records_who_when_from_to_and_why(tmp_path: Path) -> None:
    start = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    why = 'line\u2028one\n"quoted" ä'
    journal.append(tmp_path, Entry(model="critic", action="promote", label="stable", before=1, after=2, why=why))
    (line,) = (tmp_path / "releases.jsonl").read_text(encoding="utf-8").rstrip("\n").split("\n")
    entry = json.loads(line)
    assert start <= datetime.datetime.fromisoformat(entry.pop("when")) <= datetime.datetime.now(datetime.timezone.utc)
    assert "@" in entry.pop("who")
    expected = {"model": "critic", "action": "promote", "label": "stable", "from": 1, "to": 2, "why": why}
    assert expected == entry


def test_written_entries_are_read_back(tmp_path: Path) -> None:
    assert journal.read(tmp_path) == []
    first, second = moved("promote", 1, 2), Entry(model="other", action="prune", removed=(3, 4), why="a\u2028b")
    journal.append(tmp_path, first)
    journal.append(tmp_path, second, moved("rollback", 2, 1))
    assert [first, second] == journal.read(tmp_path)[:2]
    assert [second] == journal.read(tmp_path, "other")
    assert len(journal.read(tmp_path)) == 3


@pytest.mark.parametrize("line", ["{", "{}", '{"model": "m", "action": "destroy", "when": "", "who": ""}'])
def test_the_error_names_a_damaged_line(tmp_path: Path, line: str) -> None:
    journal.append(tmp_path, moved("promote", 1, 2))
    file = tmp_path / "releases.jsonl"
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises(ReleaseError, match=r"line 2 of .*releases\.jsonl"):
        journal.read(tmp_path)


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ([], []),
        ([("promote", None, 5)], [5]),
        # A roll-back can reach the version that was live before the first promotion.
        ([("promote", 1, 2)], [1, 2]),
        ([("promote", 2, 2)], [2]),
        ([("promote", 1, 2), ("promote", 2, 3)], [1, 2, 3]),
        ([("promote", 1, 2), ("promote", 2, 3), ("rollback", 3, 2)], [1, 2]),
        ([("promote", 1, 2), ("promote", 2, 3), ("rollback", 3, 2), ("rollback", 2, 1)], [1]),
        ([("promote", 1, 2), ("promote", 2, 3), ("rollback", 3, 2), ("promote", 2, 4)], [1, 2, 4]),
        ([("promote", 1, 2), ("promote", 2, 1)], [1, 2, 1]),
        ([("promote", 1, 2), ("promote", 2, 1), ("rollback", 1, 2)], [1, 2]),
        # To a version that was never stable.
        ([("promote", 5, 6), ("rollback", 6, 3)], [3]),
        ([("promote", 1, 2), ("edit", 2, 7)], [1, 2, 7]),
        # The config was deleted: no version has the label any more.
        ([("promote", 1, 2), ("edit", 2, None)], []),
    ],
)
def test_the_history_holds_the_versions_that_roll_backs_visit(moves: list, expected: list[int]) -> None:
    entries = [moved(*move) for move in moves]
    canary = moved("promote", None, 9, label="canary")
    pruned = Entry(model="critic", action="prune", removed=(8,))
    assert expected == journal.history([canary, *entries, pruned], "stable")
