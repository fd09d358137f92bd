import csv
import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from components.example_gen.sources.rows import RawRow
from components.example_gen.sources.tables import read_csv, read_jsonl, read_parquet
from imdb_core.errors import SourceError
from imdb_core.settings import DataSettings

DATA = DataSettings()

cells = st.lists(st.tuples(st.text(), st.text(), st.text(), st.text()), max_size=8)
reuse_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(tmp_path, content, name="f.csv"):
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def parsed(rows):
    """Reduces raw rows to tuples of text, label, split and rating, and rejected rows to their reason."""
    return [(r.text, r.label, r.split, r.rating) if isinstance(r, RawRow) else r.reason for r in rows]


def quoted(rows, delimiter):
    """Quotes every field; csv.writer itself refuses NUL before Python 3.11."""
    return "".join(delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) + "\r\n" for row in rows)


def minimally_quoted(rows, delimiter):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue()


@reuse_folder
@given(cells, st.sampled_from([",", "\t"]), st.booleans())
@example([("a\0b", "\0", "", "\r")], ",", False)
@example([('"', '""', 'a"b', "\r\n")], "\t", True)
def test_what_is_quoted_is_read(tmp_path, rows, delimiter, packed):
    content = quoted([("text", "label", "split", "rating"), *rows], delimiter).encode()
    path = write(tmp_path, gzip.compress(content) if packed else content, "f.csv.gz" if packed else "f.csv")
    assert parsed(read_csv(path, "f", DATA, delimiter)) == rows


@reuse_folder
@given(cells, st.sampled_from([",", "\t"]))
def test_what_csv_writes_is_read(tmp_path, rows, delimiter):
    rows = [tuple(cell.replace("\0", "") for cell in row) for row in rows]
    path = write(tmp_path, minimally_quoted([("text", "label", "split", "rating"), *rows], delimiter))
    assert parsed(read_csv(path, "f", DATA, delimiter)) == rows


@reuse_folder
@given(cells, st.booleans())
def test_what_json_writes_is_read(tmp_path, rows, ascii_only):
    keys = ("text", "label", "split", "rating")
    lines = [json.dumps(dict(zip(keys, row, strict=True)), ensure_ascii=ascii_only) for row in rows]
    path = write(tmp_path, "\n".join(lines), "f.jsonl")
    assert parsed(read_jsonl(path, "f", DATA)) == rows


@reuse_folder
@given(cells)
def test_what_parquet_writes_is_read(tmp_path, rows):
    names = ["text", "label", "split", "rating"]
    columns = [pa.array([row[at] for row in rows], pa.string()) for at in range(4)]
    path = tmp_path / "f.parquet"
    pa.parquet.write_table(pa.table(columns, names), path)
    assert parsed(read_parquet(str(path), "f", DATA)) == [tuple(cell.encode() for cell in row) for row in rows]


def test_rows_are_numbered_from_one_after_the_header(tmp_path):
    path = write(tmp_path, 'label,text\n1,"a\nb"\n\n0,c\n')
    assert [(r.source, r.position, r.id) for r in read_csv(path, "x/f.csv", DATA, ",")] == [
        (path, 1, "x/f.csv:1"),
        (path, 2, "x/f.csv:2"),
    ]


def test_optional_columns_and_other_names(tmp_path):
    data = DataSettings(text_column="Review", label_column="sentiment", split_column="part", rating_column="stars")
    path = write(tmp_path, "\ufeffReview , sentiment,id\nfine,positive,7\n")
    assert parsed(read_csv(path, "f", data, ",")) == [("fine", "positive", None, None)]


def test_bad_utf8_and_nul_stay_visible(tmp_path):
    path = write(tmp_path, b"text,label\ncaf\xe9,1\na\0b,1\n")
    texts = [r.text for r in read_csv(path, "f", DATA, ",")]
    assert texts == ["caf\udce9", "a\0b"]


def test_wrong_number_of_fields(tmp_path):
    path = write(tmp_path, "text,label\nfine\nfine,1\nwell, fine,1\n")
    assert parsed(read_csv(path, "f", DATA, ",")) == ["malformed", ("fine", "1", None, None), "malformed"]


def test_a_field_over_max_bytes_is_rejected_and_the_next_row_is_read(tmp_path):
    path = write(tmp_path, f"text,label\n{'x' * 200_000},1\nfine,1\n")
    assert parsed(read_csv(path, "f", DataSettings(max_bytes=199_999), ",")) == ["too_long", ("fine", "1", None, None)]
    assert len(parsed(read_csv(path, "f", DataSettings(max_bytes=200_000), ","))[0][0]) == 200_000


@pytest.mark.parametrize("opening", ['"never closed,1', '"closed too early" here,1', '"a "quoted" word",1'])
def test_a_quote_out_of_place_costs_its_own_row_only(tmp_path, opening):
    rows = "".join(f"row {number},1\n" for number in range(50))
    path = write(tmp_path, f"text,label\nfirst,1\n{opening}\n{rows}")
    assert parsed(read_csv(path, "f", DATA, ",")) == [
        ("first", "1", None, None),
        "malformed",
        *((f"row {number}", "1", None, None) for number in range(50)),
    ]


@pytest.mark.parametrize("content", ["", "\n", "a,b\n1,2\n", "text\nfine\n", '"text,label\n'])
def test_a_header_without_a_column(tmp_path, content):
    path = write(tmp_path, content)
    with pytest.raises(SourceError, match=r"f\.csv has no column '(text|label)'.*set data\.(text|label)_column"):
        list(read_csv(path, "f", DATA, ","))


def test_the_error_names_the_columns_there_are(tmp_path):
    path = write(tmp_path, "text,sentiment\nfine,1\n")
    with pytest.raises(SourceError, match=r"has no column 'label', only: text, sentiment; set data\.label_column"):
        list(read_csv(path, "f", DATA, ","))


def test_lines_that_are_not_json_objects_are_rejected(tmp_path):
    lines = [
        b'\xef\xbb\xbf{"text": "fine", "label": 1, "split": "test", "rating": 9}',
        b"",
        b'{"text": "torn',
        b"[1, 2]",
        b'{"text": "caf\xe9"}',
        b'{"label": true}',
        b'{"text": null, "label": 1.0, "split": null}',
        b"[" * 100_000,
    ]
    path = write(tmp_path, b"\r\n".join(lines), "f.jsonl")
    rows = list(read_jsonl(path, "f", DATA))
    assert parsed(rows) == [
        ("fine", 1, "test", 9),
        "malformed",
        "malformed",
        "bad_utf8",
        (None, True, None, None),
        (None, 1.0, "", None),
        "malformed",
    ]
    assert [row.position for row in rows] == [1, 3, 4, 5, 6, 7, 8]


def test_json_lines_of_other_keys(tmp_path):
    path = write(tmp_path, '{"review": "fine", "label": 1}\n{"review": "bad", "stars": 1}\n', "f.jsonl")
    with pytest.raises(SourceError, match=r"has no column 'text', only: review, label, stars; set data\.text_column"):
        list(read_jsonl(path, "f", DATA))


def test_parquet_types(tmp_path):
    path = tmp_path / "f.parquet"
    table = pa.table(
        {
            "text": pa.array(["a", None, "b"], pa.large_string()),
            "label": pa.array(["pos", "neg", "pos"]).dictionary_encode(),
            "rating": pa.array([9, None, 1], pa.int8()),
            "split": pa.array(["train", None, "test"]),
            "ignored": [[1], [], [2]],
        }
    )
    pa.parquet.write_table(table, path)
    assert parsed(read_parquet(str(path), "f", DATA)) == [
        (b"a", b"pos", b"train", 9),
        (None, b"neg", "", None),
        (b"b", b"pos", b"test", 1),
    ]


def test_parquet_strings_that_are_not_utf8(tmp_path):
    path = tmp_path / "f.parquet"
    broken = pa.array([b"caf\xe9"], pa.binary()).view(pa.string())
    pa.parquet.write_table(pa.table({"text": broken, "label": [1]}), path)
    assert parsed(read_parquet(str(path), "f", DATA)) == [(b"caf\xe9", 1, None, None)]


def test_a_file_that_is_not_parquet_is_an_error(tmp_path):
    with pytest.raises(SourceError, match=r"cannot read .*f\.parquet"):
        list(read_parquet(write(tmp_path, "text,label\n", "f.parquet"), "f", DATA))


def test_a_truncated_gzip(tmp_path):
    content = gzip.compress(b"text,label\n" + b"fine,1\n" * 10_000)
    path = write(tmp_path, content[:-20], "f.csv.gz")
    with pytest.raises(SourceError, match=r"cannot read .*f\.csv\.gz"):
        list(read_csv(path, "f", DATA, ","))
