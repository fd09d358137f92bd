"""Tables in all dialects, line ends, encodings and compressions that programs write are read without any setting."""

import bz2
import csv
import gzip
import io
import lzma
import random
import tarfile
import zipfile

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading_files import DATA, found, parsed, rows

from imdb_core.reviews.dialects import Dialect, find_dialect, read_records
from imdb_core.settings import TableSettings

WORDS = "A film that I won't forget café says \"wow\" it's end. ok, yes; this|that 10/10".split()  # noqa: SIM905
TEXTS = st.lists(st.sampled_from(WORDS), min_size=3, max_size=12).map(" ".join)
SEPARATED = st.sampled_from([" ", " ", "\n", "<br /><br />", ", ", "; "])
REVIEWS = st.lists(st.tuples(TEXTS, SEPARATED, TEXTS).map("".join), min_size=4, max_size=8)

LINE_ENDS = ("\n", "\r\n", "\r")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252")
COMPRESSIONS = {
    "": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def escaped(records: list[tuple[str, ...]], delimiter: str, line_end: str) -> str:
    """Writes records as Kaggle's labeledTrainData.tsv is: all in quotes, those inside escaped by a backslash."""
    return "".join(delimiter.join('"' + cell.replace('"', '\\"') + '"' for cell in row) + line_end for row in records)


def written(records: list[tuple[str, ...]], delimiter: str, line_end: str, quoting: int) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=quoting).writerows(records)
    return text.getvalue()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    reviews=REVIEWS,
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    line_end=st.sampled_from(LINE_ENDS),
    style=st.sampled_from(["minimal", "all", "escaped"]),
    encoding=st.sampled_from(ENCODINGS),
    compression=st.sampled_from(sorted(COMPRESSIONS)),
    header=st.booleans(),
    trailing=st.booleans(),
)
def test_a_table_is_read_as_it_was_written(  # noqa: PLR0917 - all that programs vary
    tmp_path, reviews, delimiter, line_end, style, encoding, compression, header, trailing
):
    if line_end == "\r" and style == "minimal":
        reviews = [review.replace("\n", " ") for review in reviews]  # csv leaves them out of quotes
    more = ("",) if trailing else ()
    records = [(review, ("pos", "neg")[number % 2], *more) for number, review in enumerate(reviews)]
    table = [("review", "sentiment", *more), *records] if header else records
    if style == "escaped":
        content = escaped(table, delimiter, line_end)
    else:
        quoting = csv.QUOTE_ALL if style == "all" else csv.QUOTE_MINIMAL
        content = written(table, delimiter, line_end, quoting)
    path = tmp_path / "reviews.csv"
    path.write_bytes(COMPRESSIONS[compression](content.encode(encoding)))
    given_encoding = encoding if encoding in ("latin-1", "cp1252") else "auto"
    columns = {} if header or not trailing else {"text_column": "1", "label_column": "2"}
    data = DATA.model_copy(update={"encoding": given_encoding, **columns})
    assert parsed(rows(path, data)) == [(*record[:2], None, None) for record in records]
    assert found(path, data).format.endswith(compression if header else "no header")


@pytest.mark.parametrize(
    ("head", "tabs", "expected", "title"),
    [
        ("text,label\nGood,1\n", False, Dialect(","), "separator ','"),
        ("text;label\nGood, really;1\nBad, sadly;0\n", False, Dialect(";"), "separator ';'"),
        ("text\tlabel\nGood, yes\t1\n", True, Dialect("\t"), "separator tab"),
        ('id\ttext\n"1"\t"say \\"no\\" now"\n', True, Dialect("\t", '"', "\\"), "separator tab, escape \\"),
        ('text\tlabel\n5" screen\t1\n"Open quote\t0\n', True, Dialect("\t", None), "separator tab, no quotes"),
        ("only\none\n", False, Dialect(","), "separator ','"),
        ("", False, Dialect(","), "separator ','"),
    ],
)
def test_the_dialect_of_a_file(head, tabs, expected, title):
    dialect = find_dialect(head, TableSettings(), tabs=tabs)
    assert (dialect, str(dialect)) == (expected, title)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"delimiter": "tab"}, Dialect("\t")),
        ({"delimiter": "\\t"}, Dialect("\t")),
        ({"delimiter": "^"}, Dialect("^")),
        ({"quote": "'"}, Dialect(",", "'")),
        ({"quote": "none"}, Dialect(",", None)),
        ({"escape": "\\"}, Dialect(",", '"', "\\")),
        ({"escape": "none"}, Dialect(",")),
    ],
)
def test_settings_overrule_what_a_file_looks_like(setting, expected):
    assert find_dialect("text,label\nGood,1\n", TableSettings(**setting), tabs=False) == expected


def test_a_long_sample_is_cut_between_lines():
    head = "text;label\n" + "".join(f"Good, number {number};1\n" for number in range(3000))
    assert find_dialect(head, TableSettings(), tabs=False) == Dialect(";")
    assert find_dialect("x" * 30_000, TableSettings(), tabs=False) == Dialect(",")


def test_a_quote_in_the_middle_of_a_field_is_no_quote():
    assert list(read_records(io.StringIO('a "b" c,d\n'), Dialect(","))) == [['a "b" c', "d"]]


MEMBERS = {
    "data/train.csv": b"text,label\nGood,1\n",
    "data/test/part.jsonl": b'{"text": "Bad", "label": 0}\n',
    "data/readme.md": b"# Reviews",
    "__MACOSX/data/._train.csv": b"\0\1",
    "data/empty.csv": b"",
}


def as_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.mkdir("data") if hasattr(archive, "mkdir") else archive.writestr("data/", b"")
        for name, content in MEMBERS.items():
            archive.writestr(name, content)


def as_tar(mode):
    def write(path):
        with tarfile.open(path, mode) as archive:
            for name, content in MEMBERS.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))

    return write


ARCHIVES = {"zip": as_zip, "tar": as_tar("w"), "gz": as_tar("w:gz"), "bz2": as_tar("w:bz2"), "xz": as_tar("w:xz")}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_tables_in_archives_are_read_whatever_their_names(tmp_path, kind):
    path = tmp_path / "archive.data"
    ARCHIVES[kind](path)
    read = rows(path)
    assert sorted((one.source.partition("!")[2], one.text, str(one.label)) for one in read) == [
        ("data/test/part.jsonl", "Bad", "0"),
        ("data/train.csv", "Good", "1"),
    ]


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_packed_file_that_was_cut_off_is_refused(tmp_path, kind, share):
    text = random.Random(1).randbytes(30_000).hex()  # noqa: S311 - does not pack well
    content = COMPRESSIONS[kind](f"text,label\n{text},1\n".encode())
    path = tmp_path / "reviews.csv"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(Exception, match="it may be damaged or incomplete: get a new copy"):
        rows(path)


def test_several_frames_and_layers_are_unpacked(tmp_path):
    path = tmp_path / "reviews"
    frames = zstandard.ZstdCompressor().compress(b"text,label\nGo") + zstandard.ZstdCompressor().compress(b"od,1\n")
    path.write_bytes(gzip.compress(frames))
    assert parsed(rows(path)) == [("Good", "1", None, None)]
    assert found(path).format == "CSV, separator ',', UTF-8, gzip, zstd"
