"""Reads and checks the units of a source row by row, whatever its format."""

from collections.abc import Iterator
from typing import Final

from components.example_gen.sample.generate import sample_review
from components.example_gen.sources.files import opened
from components.example_gen.sources.locate import SAMPLE, Unit
from components.example_gen.sources.parts import part_of
from components.example_gen.sources.rows import IgnoredRow, RowRules, ValidRow
from imdb_core.reviews.errors import NoLabelsError, NoReviewsError
from imdb_core.reviews.parts import Part, labelled_text
from imdb_core.reviews.reading import ReviewReader
from imdb_core.reviews.rows import Found, LeftOut, RawRow, RejectedRow
from imdb_core.settings import DataSettings
from imdb_core.spelling import spelling

Read = ValidRow | RejectedRow | IgnoredRow | Found | LeftOut

# How tables spell that a row has no label.
_NO_LABEL: Final = {"", "-1", "nan", "none", "null", "na", "n/a", "?"}


def read(unit: Unit, data: DataSettings, rules: RowRules) -> Iterator[Read]:
    """Reads and checks all rows of a unit.

    Raises:
        SourceError: A file cannot be read.
    """
    if unit.kind == "sample":
        yield from map(rules.of_folders().check, _sample_rows(unit, data.sample_seed))
    elif unit.kind == "texts":
        yield from _texts(unit, data, rules)
    else:
        yield from _file(unit, data, rules)


def _sample_rows(unit: Unit, seed: int) -> Iterator[RawRow]:
    (split,) = unit.paths
    for index in range(unit.start, unit.stop):
        review = sample_review(split, index, seed)
        yield RawRow(SAMPLE, index, review.id, review.text, ("neg", "pos")[review.label], split, review.rating)


def _texts(unit: Unit, data: DataSettings, rules: RowRules) -> Iterator[Read]:
    decide, folders = part_of(data), rules.of_folders()
    splits = set()
    for path in unit.paths:
        below = path[unit.start :]
        split = decide(below).split if unit.named else None
        splits.add(split)
        if text := labelled_text(below):
            with opened(path) as file:
                content = file.read(data.max_bytes + 1)
            yield folders.check(RawRow(path, path, text.id, content, text.label, split, text.rating))
    for split in sorted(splits, key=str):
        yield Found(unit.paths[0], "text files in folders of labels", split=split)


def _file(unit: Unit, data: DataSettings, rules: RowRules) -> Iterator[Read]:
    (path,) = unit.paths
    decide = part_of(data)
    reader = ReviewReader(
        data,
        opened,
        data.max_bytes,
        labels=frozenset(rules.labels) | {"-1"},
        part_of=decide,
    )
    part = decide(path[unit.start :]) if unit.named and unit.start else Part()
    try:
        yield from _with_unlabelled(reader.read(path, unit.name, part), rules)
    except (NoReviewsError, NoLabelsError) as error:
        if unit.alone:
            raise
        reason = "unlabelled" if isinstance(error, NoLabelsError) else "no table of reviews"
        yield LeftOut(path[unit.start :], reason)  # type: ignore[arg-type]  # one of the two


def _with_unlabelled(events: Iterator[RawRow | RejectedRow | Found | LeftOut], rules: RowRules) -> Iterator[Read]:
    """Checks rows. A table in which no row has a label is left out; a label that is missing among others is a fault."""
    folders = rules.of_folders()
    pending: list[RejectedRow] = []
    table: Found | None = None
    labelled = False
    for event in events:
        if isinstance(event, Found):
            yield from _settled(table, pending, labelled=labelled)
            table, pending, labelled = event, [], False
            yield event
            continue
        if not isinstance(event, RawRow):
            yield event
            continue
        checked = (folders if isinstance(event.position, str) else rules).check(event)
        missing = isinstance(checked, RejectedRow) and checked.reason == "unknown_label"
        if missing and not labelled and spelling(event.label) in _NO_LABEL:
            pending.append(checked)  # type: ignore[arg-type]  # rejected
            continue
        if not labelled and not isinstance(checked, RejectedRow):
            labelled = True
            yield from pending
            pending = []
        yield checked
    yield from _settled(table, pending, labelled=labelled)


def _settled(table: Found | None, pending: list[RejectedRow], *, labelled: bool) -> Iterator[Read]:
    if pending and not labelled and table:
        yield LeftOut(table.source, "unlabelled", rows=len(pending))
    else:
        yield from pending
