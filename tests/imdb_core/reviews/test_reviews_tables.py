import csv
import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from reading_files import parsed, rows

from imdb_core.errors import SourceError
from imdb_core.settings import DataSettings

NAMED = DataSettings(text_column="text", label_column="label")

cells = st.lists(st.tuples(st.text(), st.text(), st.text(), st.text()), max_size=8)
reuse_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(tmp_path, content, name="f.csv"):
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def of_dialect(delimiter):
    return NAMED.model_copy(update={"delimiter": delimiter, "quote": '"', "escape": "none", "header": "yes"})


def quoted(records, delimiter):
    """Quotes every field; csv.writer itself refuses NUL before Python 3.11."""
    return "".join(delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) + "\r\n" for row in records)


def minimally_quoted(records, delimiter):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(records)
    return text.getvalue()


@reuse_folder
@given(cells, st.sampled_from([",", "\t"]), st.booleans())
@example([("a\0b", "\0", "", "\r")], ",", False)
@example([('"', '""', 'a"b', "\r\n")], "\t", True)
def test_what_is_quoted_is_read(tmp_path, cells, delimiter, packed):
    content = quoted([("text", "label", "split", "rating"), *cells], delimiter).encode()
    path = write(tmp_path, gzip.compress(content) if packed else content, "f.csv.gz" if packed else "f.csv")
    assert parsed(rows(path, of_dialect(delimiter))) == cells


@reuse_folder
@given(cells, st.sampled_from([",", "\t"]))
def test_what_csv_writes_is_read(tmp_path, cells, delimiter):
    cells = [tuple(cell.replace("\0", "") for cell in row) for row in cells]
    path = write(tmp_path, minimally_quoted([("text", "label", "split", "rating"), *cells], delimiter))
    assert parsed(rows(path, of_dialect(delimiter))) == cells


@reuse_folder
@given(cells, st.booleans())
def test_what_json_writes_is_read(tmp_path, cells, ascii_only):
    keys = ("text", "label", "split", "rating")
    lines = [json.dumps(dict(zip(keys, row, strict=True)), ensure_ascii=ascii_only) for row in cells]
    path = write(tmp_path, "\n".join(lines), "f.jsonl")
    assert parsed(rows(path) if lines else []) == cells


@reuse_folder
@given(cells)
def test_what_parquet_writes_is_read(tmp_path, cells):
    names = ["text", "label", "split", "rating"]
    columns = [pa.array([row[at] for row in cells], pa.string()) for at in range(4)]
    path = tmp_path / "f.parquet"
    pa.parquet.write_table(pa.table(columns, names), path)
    assert parsed(rows(path)) == [tuple(cell.encode() for cell in row) for row in cells]


def test_rows_are_numbered_from_one_after_the_header(tmp_path):
    path = write(tmp_path, 'label,text\n1,"a\nb"\n\n0,c\n')
    assert [(r.source, r.position, r.id) for r in rows(path)] == [
        (path, 1, "f.csv:1"),
        (path, 2, "f.csv:2"),
    ]


def test_optional_columns_and_other_names(tmp_path):
    data = DataSettings(text_column="Review", label_column="sentiment", split_column="part", rating_column="stars")
    path = write(tmp_path, "\ufeffReview , sentiment,id\nfine,positive,7\n")
    assert parsed(rows(path, data)) == [("fine", "positive", None, None)]


def test_bad_utf8_and_nul_stay_visible(tmp_path):
    path = write(tmp_path, b"text,label\ncaf\xe9,1\na\0b,1\n")
    texts = [r.text for r in rows(path)]
    assert texts == ["caf\udce9", "a\0b"]


def test_wrong_number_of_fields(tmp_path):
    path = write(tmp_path, "text,label\nfine\nfine,1\nwell, fine,1\n")
    assert parsed(rows(path)) == ["malformed", ("fine", "1", None, None), "malformed"]


def test_a_field_over_max_bytes_is_rejected_and_the_next_row_is_read(tmp_path):
    path = write(tmp_path, f"text,label\n{'x' * 200_000},1\nfine,1\n")
    assert parsed(rows(path, DataSettings(max_bytes=199_999))) == ["too_long", ("fine", "1", None, None)]
    assert len(parsed(rows(path, DataSettings(max_bytes=200_000)))[0][0]) == 200_000


@pytest.mark.parametrize("opening", ['"never closed,1', '"closed too early" here,1', '"a "quoted" word",1'])
def test_a_quote_out_of_place_costs_its_own_row_only(tmp_path, opening):
    others = "".join(f"row {number},1\n" for number in range(50))
    path = write(tmp_path, f'text,label\n"first, or not",1\n{opening}\n{others}')
    assert parsed(rows(path)) == [
        ("first, or not", "1", None, None),
        "malformed",
        *((f"row {number}", "1", None, None) for number in range(50)),
    ]


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
    read = rows(path)
    assert parsed(read) == [
        ("fine", 1, "test", 9),
        "malformed",
        "malformed",
        "bad_utf8",
        (None, True, "", None),
        (None, 1.0, "", None),
        "malformed",
    ]
    assert [row.position for row in read] == [1, 3, 4, 5, 6, 7, 8]


def test_json_lines_of_other_keys(tmp_path):
    path = write(tmp_path, '{"review": "fine", "label": 1}\n{"review": "bad", "stars": 1}\n', "f.jsonl")
    data = DataSettings(text_column="text")
    with pytest.raises(
        SourceError, match=r"no column 'text', its columns are 'review', 'label', 'stars'; set data\.text_"
    ):
        rows(path, data)


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
    assert parsed(rows(path)) == [
        (b"a", b"pos", b"train", 9),
        (None, b"neg", "", None),
        (b"b", b"pos", b"test", 1),
    ]


def test_parquet_strings_that_are_not_utf8(tmp_path):
    path = tmp_path / "f.parquet"
    broken = pa.array([b"caf\xe9"], pa.binary()).view(pa.string())
    pa.parquet.write_table(pa.table({"text": broken, "label": [1]}), path)
    assert parsed(rows(path)) == [(b"caf\xe9", 1, None, None)]


def test_a_file_that_is_not_parquet_is_an_error(tmp_path):
    with pytest.raises(SourceError, match=r"cannot read .*f\.parquet"):
        list(rows(write(tmp_path, "PAR1,label\n", "f.parquet")))


def test_a_truncated_gzip(tmp_path):
    content = gzip.compress(b"text,label\n" + b"fine,1\n" * 10_000)
    path = write(tmp_path, content[:-20], "f.csv.gz")
    with pytest.raises(SourceError, match=r"cannot read .*f\.csv\.gz"):
        rows(path)
