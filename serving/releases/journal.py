"""The journal `releases.jsonl`: one JSON object a line for each change of a release."""

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
        when: Time in UTC, ISO 8601.
        who: User and machine.
        model: Name of the model.
        action: The command. `edit` is a change that somebody made to the config by hand; the next command records it.
        label: The label that moved.
        before: Version that had the label (`from` in the file). Before the first label, the live version.
        after: Version that has the label now (`to` in the file).
        removed: Versions that were deleted.
        why: The user's reason.
    """

    # `from` is a keyword of Python.
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
    """Reads a model's entries, or those of all models, oldest first.

    Raises:
        ReleaseError: A line is not an entry.
    """
    file = models / JOURNAL_FILE
    entries = []
    for number, line in enumerate(_lines(file), 1):
        try:
            entries.append(Entry.model_validate_json(line))
        except ValidationError:
            raise ReleaseError(
                f"line {number} of {file} is not an entry of the journal; correct or remove it"
            ) from None
    return [entry for entry in entries if model in (None, entry.model)]


def append(models: Path, *entries: Entry) -> None:
    """Adds entries, all or none. The caller holds the lock."""
    file = models / JOURNAL_FILE
    added = (json.dumps(entry.model_dump(by_alias=True, exclude_none=True), ensure_ascii=False) for entry in entries)
    write_atomically(file, "".join(f"{line}\n" for line in (*_lines(file), *added)), mode=0o644)


def history(entries: Iterable[Entry], label: str) -> list[int]:
    """Replays which versions had a label, the current one last, without those that were rolled back.

    A second roll-back therefore goes further back. The entries are those of one model, oldest first.
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
    # str.splitlines() would also split at characters that JSON strings may contain.
    return [line for line in file.read_text(encoding="utf-8").split("\n") if line] if file.exists() else []
