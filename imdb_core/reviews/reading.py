"""Reads a file of reviews, whatever its format, compression and encoding, or an archive of such files."""

import codecs
import csv
import io
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import IO, Any, Final

from imdb_core.excerpts import excerpt
from imdb_core.reviews import csv_tables, json_tables, parquet_tables
from imdb_core.reviews.columns import AmbiguousColumnError, Columns, find_columns, value_at
from imdb_core.reviews.dialects import find_dialect, read_records
from imdb_core.reviews.encodings import decoded, find_encoding
from imdb_core.reviews.errors import NoLabelsError, NoReviewsError, ReviewsError
from imdb_core.reviews.kinds import Kind, foreign, kind_of, name_kind
from imdb_core.reviews.parts import Part, PartOf, any_part, labelled_text
from imdb_core.reviews.rows import Found, LeftOut, RawRow, RejectedRow
from imdb_core.reviews.tar import tar_members
from imdb_core.reviews.unpacking import DAMAGED, HEAD, Peekable, container_of, damaged, uncompressed
from imdb_core.settings import TableSettings

Opener = Callable[[str], AbstractContextManager[IO[bytes]]]
ReaderEvent = RawRow | RejectedRow | Found | LeftOut

AUTO: Final = "auto"
MEMBER: Final = "!"

_PARQUET: Final = b"PAR1"
_WORKBOOK: Final = b"[Content_Types].xml"
# Objects that decide which keys there are.
_FIRST_OBJECTS: Final = 50
# Records that decide which column of a table without a header holds labels.
_SAMPLE_RECORDS: Final = 100
# Larger members of archives are kept on disk while they are read.
_IN_MEMORY: Final = 1 << 24
# Endings of members that may be tables; others are left out unread.
_PERHAPS_TABLES: Final = (".txt", ".json", ".dat", ".data")


@dataclass(frozen=True)
class ReviewReader:
    """Reads files of reviews.

    Attributes:
        table: The settings.
        opened: Opens a file by its path.
        max_bytes: Maximum length of a text; longer ones are cut off one byte later.
        labels: All known spellings of labels, see `rows.spelling`; empty if labels are not needed.
        part_of: Decides about a file or member by its path.
        setting: How a message names a setting; `{}` stands for `text_column`, for instance.
    """

    table: TableSettings
    opened: Opener
    max_bytes: int
    labels: frozenset[str] = frozenset()
    part_of: PartOf = any_part
    setting: str = "data.{}"

    @property
    def labelled(self) -> bool:
        """Whether labels are needed."""
        return bool(self.labels)

    def read(self, path: str, name: str, part: Part | None = None) -> Iterator[ReaderEvent]:
        """Reads a file.

        Args:
            path: Path of the file.
            name: Its name in ids and for its format; the rows of a table are `NAME:1`, `NAME:2`, ...
            part: What its path says about it.

        Yields:
            What was found in each table, then its rows; files of an archive that are left out.

        Raises:
            ReviewsError: The file cannot be read, is damaged, or has no reviews.
        """
        with self.opened(path) as file:
            try:
                yield from self._content(file, path, name, part or Part(), nested=False)
            except DAMAGED as error:
                raise damaged(path, error) from error

    def _content(self, stream: IO[bytes], source: str, name: str, part: Part, *, nested: bool) -> Iterator[ReaderEvent]:
        with uncompressed(stream) as (content, packed):
            head = content.peek(HEAD)
            if not head:
                raise NoReviewsError(f"cannot read {excerpt(source, 500)}: it is empty; give a file with reviews")
            container = container_of(head)
            if container == "zip" and _WORKBOOK in head[:2000]:
                raise NoReviewsError(f"{excerpt(source, 500)} is a workbook, which is not read; save it as CSV (UTF-8)")
            if container and not nested:
                yield from (self._tar if container == "tar" else self._zip)(content, source)
                return
            if (error := foreign(source, head)) is not None or container:
                raise error or NoReviewsError(f"{excerpt(source, 500)} is an archive in an archive, which is not read")
            if self.table.format == "acl_imdb":
                raise NoReviewsError(
                    f"{excerpt(source, 500)} is no archive, and {self._named('format')} is acl_imdb; give an archive "
                    "or a folder"
                )
            if head.startswith(_PARQUET) or self.table.format == "parquet":
                rows = self._parquet(content, source, name)
            else:
                rows = self._text(content, head, source, name, packed)
            yield from rows if part.split is None else _of_split(rows, part.split)

    # Archives

    def _tar(self, content: Peekable, source: str) -> Iterator[ReaderEvent]:
        left_out: Counter[tuple[str, Any]] = Counter()
        for member, read in tar_members(content, source):
            part = self.part_of(member)
            if part.left_out:
                left_out[member.rpartition("/")[0], part.left_out] += 1
            elif text := labelled_text(member):
                yield RawRow(source, member, text.id, read(self.max_bytes + 1), text.label, part.split, text.rating)
            elif not perhaps_table(member):
                left_out[member, "no table of reviews"] += 1
            else:
                with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
                    while block := read(1 << 20):
                        file.write(block)
                    file.seek(0)
                    yield from self._member(file, source, member, part)
        yield from _grouped(left_out, source)

    def _zip(self, content: Peekable, source: str) -> Iterator[ReaderEvent]:
        left_out: Counter[tuple[str, Any]] = Counter()
        with tempfile.TemporaryFile() as file:
            while block := content.read(1 << 20):
                file.write(block)
            with zipfile.ZipFile(file) as archive:
                for info in archive.infolist():
                    if info.is_dir():
                        continue
                    part = self.part_of(info.filename)
                    if part.left_out:
                        left_out[info.filename.rpartition("/")[0], part.left_out] += 1
                        continue
                    if info.flag_bits & 1:
                        raise ReviewsError(f"{excerpt(source, 500)} is encrypted, which is not read; unpack it first")
                    text = labelled_text(info.filename)
                    if not text and not perhaps_table(info.filename):
                        left_out[info.filename, "no table of reviews"] += 1
                        continue
                    try:
                        opened = archive.open(info)
                    except NotImplementedError as error:
                        raise damaged(source, error) from error
                    with opened as member:
                        if text:
                            read = member.read(self.max_bytes + 1)
                            yield RawRow(source, info.filename, text.id, read, text.label, part.split, text.rating)
                        else:
                            yield from self._member(member, source, info.filename, part)
        yield from _grouped(left_out, source)

    def _member(self, file: Any, source: str, member: str, part: Part) -> Iterator[ReaderEvent]:
        if self.table.format == "acl_imdb":
            yield LeftOut(f"{source}{MEMBER}{member}", "no table of reviews")
            return
        try:
            yield from self._content(file, f"{source}{MEMBER}{member}", member, part, nested=True)
        except NoLabelsError:
            yield LeftOut(f"{source}{MEMBER}{member}", "unlabelled")
        except NoReviewsError:
            yield LeftOut(f"{source}{MEMBER}{member}", "no table of reviews")

    # Formats

    def _parquet(self, content: Peekable, source: str, name: str) -> Iterator[ReaderEvent]:
        import pyarrow as pa

        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
            while block := content.read(1 << 20):
                file.write(block)
            file.seek(0)
            try:
                table = parquet_tables.open_parquet(file)
                names = parquet_tables.names_of(table)
                columns = self._columns(names, source, "Parquet", "", header=True)
                yield Found(source, "Parquet", str(columns), has_splits=columns.split is not None)
                for number, row in enumerate(parquet_tables.read_values(table, columns), 1):
                    text, label, split, rating, key = row
                    yield RawRow(source, number, f"{name}:{number}", text, label, _split(split, columns), rating, key)
            except pa.ArrowException as error:
                raise damaged(source, error) from error

    def _text(
        self, content: Peekable, head: bytes, source: str, name: str, packed: Sequence[str]
    ) -> Iterator[ReaderEvent]:
        encoding = find_encoding(head, self.table.encoding)
        start = codecs.getincrementaldecoder(encoding.name)("replace").decode(head)
        wanted = self.table.format
        kind = kind_of(name, start, labelled=self.labelled) if wanted in (AUTO, "acl_imdb") else wanted
        title = ", ".join([encoding.title, *packed])
        with decoded(io.BufferedReader(content, 1 << 16), encoding) as lines:
            match kind:
                case "jsonl" | "json":
                    yield from self._objects(lines, kind, source, name, start=start, title=title)
                case "text":
                    yield from self._lines(lines, source, name, title)
                case _:
                    yield from self._csv(lines, kind, source, name, start=start, title=title)

    def _lines(self, lines: IO[str], source: str, name: str, title: str) -> Iterator[ReaderEvent]:
        yield Found(source, f"text with one review a line, {title}")
        for number, line in enumerate(lines, 1):
            content = line.lstrip("\ufeff") if number == 1 else line
            yield RawRow(source, number, f"{name}:{number}", content.rstrip("\r\n"), None)

    def _csv(
        self, lines: IO[str], kind: Any, source: str, name: str, *, start: str, title: str
    ) -> Iterator[ReaderEvent]:
        # Every longer field is too long: a character takes at least one byte.
        csv.field_size_limit(self.max_bytes)
        start = start.lstrip("\ufeff")
        dialect = find_dialect(start, self.table, tabs=kind == "tsv" or name_kind(name) == "tsv", labels=self.labels)
        first = csv_tables.first_record(start, dialect)
        header = csv_tables.has_header(first, self.table, self.labels)
        if kind is None and not (header and _mentions_text(first, self.table)):
            yield from self._lines(lines, source, name, title)
            return
        looks = f"CSV, {dialect}, {title}"
        names = [field.strip() for field in first] if header else [""] * len(first)
        if header:
            columns = self._columns(names, source, looks, start, header=True)
        else:
            columns = self._unnamed_columns(names, source, looks, start, dialect)
        yield Found(source, looks + ("" if header else ", no header"), str(columns), columns.split is not None)
        records = read_records(lines, dialect)
        if header:
            next(records, None)
        yield from csv_tables.read_rows(records, names, columns, source, name)

    def _unnamed_columns(self, names: list[str], source: str, looks: str, start: str, dialect: Any) -> Columns:
        given = find_columns(names, self.table)
        if given.text is not None and (given.label is not None or not self.labelled):
            return given
        if not self.labelled and len(names) == 1:
            return Columns(text="1")
        sample = list(islice(read_records(io.StringIO(start, newline=""), dialect), _SAMPLE_RECORDS))
        records = [one for one in sample if isinstance(one, list)]
        guessed = csv_tables.guess_columns(records[:-1] or records, self.labels)
        if guessed and self.table.text_column == AUTO == self.table.label_column:
            return Columns(text=str(guessed[0] + 1), label=str(guessed[1] + 1))
        return self._columns(names, source, looks, start, header=False)

    def _objects(
        self, lines: IO[str], kind: Kind, source: str, name: str, *, start: str, title: str
    ) -> Iterator[ReaderEvent]:
        numbered = (json_tables.read_lines if kind == "jsonl" else json_tables.read_array)(lines, source)
        first = list(islice(numbered, _FIRST_OBJECTS))
        names = dict.fromkeys(
            key for _, found in first if isinstance(found, dict) for key in json_tables.names_of(found)
        )
        looks = f"{'JSON lines' if kind == 'jsonl' else 'JSON'}, {title}"
        if names:
            columns = self._columns(list(names), source, looks, start, header=True)
            yield Found(source, looks, str(columns), has_splits=columns.split is not None)
        else:
            columns = Columns()
            yield Found(source, looks)
        needed = {column for column in vars(columns).values() if column}
        for number, found in chain(first, numbered):
            if isinstance(found, RejectedRow):
                yield found
                continue
            twice = needed & found.keys_twice if isinstance(found, json_tables.Twice) else None
            if twice:
                yield RejectedRow(source, number, "malformed", f"the key {excerpt(min(twice))!r} is given twice")
                continue
            text, label, split, rating, key = (
                value_at(found, column)
                for column in (columns.text, columns.label, columns.split, columns.rating, columns.key)
            )
            yield RawRow(source, number, f"{name}:{number}", text, label, _split(split, columns), rating, key)

    # Columns and messages

    def _columns(self, names: Sequence[str], source: str, looks: str, start: str, *, header: bool) -> Columns:
        try:
            columns = find_columns(names, self.table)
        except AmbiguousColumnError as error:
            advice = f"name one in {self._named('text_column')} or {self._named('label_column')}, or give its number"
            raise ReviewsError(self._message(source, looks, start, str(error), advice)) from None
        if columns.text is not None and (columns.label is not None or not self.labelled):
            return columns
        what = "text" if columns.text is None else "label"
        given = self.table.text_column if what == "text" else self.table.label_column
        missing = (
            f"there is no column {excerpt(given)!r}" if given != AUTO else f"no column has a usual name for the {what}"
        )
        if header:
            shown = ", ".join(repr(excerpt(name)) for name in names[:20]) or "none"
            problem = f"{missing}, its columns are {shown}"
            advice = f"set {self._named(f'{what}_column')} to the right one"
        else:
            problem = f"{missing}, and its {len(names)} column{'s' * (len(names) != 1)} seem to have no header"
            numbers = f"{self._named('text_column')} to the number of the column of the text"
            labels = f" and {self._named('label_column')} to that of the label" if self.labelled else ""
            advice = f"set {numbers}{labels} (the first is 1)"
        if looks.startswith("CSV"):
            others = " ".join(self._named(other) for other in ("delimiter", "encoding", "header"))
            advice += f"; if it looks wrong, set {', '.join(others.split())}"
        kind = NoReviewsError if what == "text" else NoLabelsError
        raise kind(self._message(source, looks, start, problem, advice))

    def _message(self, source: str, looks: str, start: str, problem: str, advice: str) -> str:
        line = f"; its first line is {excerpt(start.splitlines()[0])!r}" if start.splitlines() else ""
        empty = "; it is empty" if not start and "Parquet" not in looks else ""
        return f"{excerpt(source, 500)} looks like {looks}{line}{empty}; {problem}; {advice}"

    def _named(self, setting: str) -> str:
        return self.setting.format(setting if "." in self.setting else setting.replace("_", "-"))


def perhaps_table(member: str) -> bool:
    """Returns whether a file among others may be a table, by the ending of its name; others are not read."""
    name = member.rpartition("/")[2].lower()
    for ending in (".gz", ".bz2", ".xz", ".zst"):
        name = name.removesuffix(ending)
    return "." not in name or name_kind(name) is not None or name.endswith(_PERHAPS_TABLES)


def _of_split(events: Iterator[ReaderEvent], split: str) -> Iterator[ReaderEvent]:
    """Adds the split of a file to rows that have none of their own."""
    for event in events:
        if isinstance(event, Found):
            yield replace(event, split=split)
        elif isinstance(event, RawRow) and event.split is None:
            yield event._replace(split=split)
        else:
            yield event


def _grouped(left_out: Counter[tuple[str, Any]], source: str) -> Iterator[LeftOut]:
    for (folder, reason), files in sorted(left_out.items()):
        yield LeftOut(f"{source}{MEMBER}{folder}", reason, files)


def _split(value: object, columns: Columns) -> object:
    # The source has splits, so a missing one is as unusable as an unknown one.
    return "" if value is None and columns.split is not None else value


def _mentions_text(first: Sequence[str], table: TableSettings) -> bool:
    try:
        return find_columns([field.strip() for field in first], table).text is not None
    except AmbiguousColumnError:
        return True
