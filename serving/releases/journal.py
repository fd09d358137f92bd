"""`releases.jsonl`: every change of what is released: who, when, from, to, why; one JSON object a line."""

import datetime
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from imdb_core.files import write_atomically
from serving.releases.errors import ReleaseError
from serving.releases.lock import who

JOURNAL_FILE: Final = "releases.jsonl"


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


class Entry(BaseModel):
    """One change.

    Attributes:
        when: ISO 8601, UTC.
        who: user and machine.
        model: its name.
        action: `edit` is a change of the config by other hands, noticed at the next one by these.
        label: that was moved.
        before: the version that had it (`from` in the file); when there were no labels yet, the one that was live.
        after: the version that has it now (`to` in the file).
        removed: versions that were deleted.
        why: in the words of who did it.
    """

    # `from` is no name in Python.
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        alias_generator=lambda name: {"before": "from", "after": "to"}.get(name, name),
    )

    when: str = Field(default_factory=_now)
    who: str = Field(default_factory=who)
    model: str
    action: Literal["promote", "rollback", "prune", "edit"]
    label: str | None = None
    before: int | None = None
    after: int | None = None
    removed: tuple[int, ...] | None = None
    why: str = ""


def read(models: Path, model: str | None = None) -> list[Entry]:
    """Reads the journal, oldest entry first.

    Args:
        models: folder of all models.
        model: only this one's entries.

    Raises:
        ReleaseError: a line is no entry.
    """
    file = models / JOURNAL_FILE
    entries = []
    for number, line in enumerate(_lines(file), 1):
        try:
            entries.append(Entry.model_validate_json(line))
        except ValidationError:
            raise ReleaseError(f"line {number} of {file} is no entry of the journal; correct or remove it") from None
    return [entry for entry in entries if model in (None, entry.model)]


def append(models: Path, *entries: Entry) -> None:
    """Adds entries; the journal has either all of them or none.

    Args:
        models: folder of all models; its lock is held.
        *entries: the new ones.
    """
    file = models / JOURNAL_FILE
    added = (json.dumps(entry.model_dump(by_alias=True, exclude_none=True), ensure_ascii=False) for entry in entries)
    write_atomically(file, "".join(f"{line}\n" for line in (*_lines(file), *added)))


def history(entries: Iterable[Entry], label: str) -> list[int]:
    """Replays who had a label, so that a roll-back of a roll-back goes one further back, not forth again.

    Args:
        entries: of one model, oldest first.
        label: like `stable`.

    Returns:
        Versions, the present one last; what was rolled back is not among them.
    """
    versions: list[int] = []
    for entry in entries:
        if entry.label != label:
            continue
        if entry.after is None:
            versions = []
        elif entry.action == "rollback":
            while versions and versions[-1] != entry.after:
                versions.pop()
        elif not versions and entry.before is not None:
            versions = [entry.before]
        if entry.after is not None and versions[-1:] != [entry.after]:
            versions.append(entry.after)
    return versions


def _lines(file: Path) -> list[str]:
    # Not str.splitlines(), which also splits at characters that JSON strings may hold.
    return [line for line in file.read_text(encoding="utf-8").split("\n") if line] if file.exists() else []
