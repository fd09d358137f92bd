from __future__ import annotations

import gzip
import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imdb_core.settings import TableSettings
from serving.client.errors import ReviewFileError
from serving.client.review_files import Review, find_files, parse_reviews, read_reviews

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LINE = TEXT.map(lambda text: text.replace("\n", "").replace("\r", ""))


def parsed(content: bytes, *, json_lines: bool) -> list[Review]:
    return list(parse_reviews(io.BytesIO(content), "a pipe", json_lines=json_lines))


@given(st.lists(LINE))
def test_each_line_of_text_is_a_review(lines: list[str]) -> None:
    content = "".join(f"{line}\n" for line in lines).encode()
    reviews = parsed(content, json_lines=False)
    expected = [line.removeprefix("\ufeff") if number == 0 else line for number, line in enumerate(lines)]
    assert [review.text for review in reviews] == expected
    assert [review.origin for review in reviews] == [{"line": number + 1} for number in range(len(lines))]


@given(
    st.lists(st.fixed_dictionaries({"text": TEXT}, optional={"id": TEXT | st.integers(), "rest": TEXT})), st.booleans()
)
def test_each_json_line_is_a_review(rows: list[dict[str, object]], ascii_only: bool) -> None:
    content = "".join(json.dumps(row, ensure_ascii=ascii_only) + "\r\n\n" for row in rows).encode()
    reviews = parsed(content, json_lines=True)
    assert [review.text for review in reviews] == [row["text"] for row in rows]
    assert [review.origin for review in reviews] == [
        {"line": 2 * number + 1, **{key: row[key] for key in ("id",) if key in row}} for number, row in enumerate(rows)
    ]


def test_a_label_is_returned_as_it_is_written() -> None:
    content = b'{"text": "a", "label": 1}\n{"text": "b", "label": "neg"}\n{"text": "c"}\n'
    assert [review.label for review in parsed(content, json_lines=True)] == [1, "neg", None]
    assert [review.label for review in parsed(content, json_lines=False)] == [None] * 3


def test_line_ends_and_empty_files() -> None:
    assert [review.text for review in parsed(b"a\r\n\nb\xe2\x80\xa8c", json_lines=False)] == ["a", "", "b\u2028c"]
    assert parsed(b"", json_lines=False) == parsed(b"", json_lines=True) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "line 2 of a pipe is not JSON"),
        (b"a film", "line 2 of a pipe is not JSON"),
        (b"[1]", "line 2 of a pipe has no string `text`"),
        (b"{}", "line 2 of a pipe has no string `text`"),
        (b'{"text": 1}', "line 2 of a pipe has no string `text`"),
        (b'{"text": "\\ud800"}', "line 2 of a pipe holds half of a surrogate pair"),
        (b'{"text": "x", "id": "\\udfff"}', "line 2 of a pipe holds half of a surrogate pair"),
        (b'{"text": "x", "id": ["\\udfff"]}', "line 2 of a pipe has an `id` that is neither a string nor a number"),
        (b"[" * 100_000, "line 2 of a pipe is not JSON"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_the_error_names_an_invalid_json_line(line: bytes, message: str) -> None:
    with pytest.raises(ReviewFileError) as caught:
        parsed(b'{"text": "good"}\n' + line + b"\n", json_lines=True)
    assert str(caught.value).startswith(message)
    assert 'expected a JSON object with a string `text`, like {"text": "A film' in str(caught.value)


@pytest.mark.parametrize("json_lines", [True, False])
def test_the_error_names_a_line_that_is_not_utf_8(json_lines: bool) -> None:
    with pytest.raises(
        ReviewFileError, match=r"^line 2 of a pipe is not UTF-8 \(invalid continuation byte at byte 4\)$"
    ):
        parsed(b'{"text": "good"}\ncaf\xe9!\n', json_lines=json_lines)


def test_the_name_of_a_file_decides_how_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("one\ntwo\n")
    (tmp_path / "c.jsonl").write_text('{"text": "three", "id": 7}\n')
    (tmp_path / "d.jsonl.gz").write_bytes(gzip.compress(b'{"text": "four"}\n'))
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"zero\n"))
    (tmp_path / "folder.txt").mkdir()
    files = find_files(f"{tmp_path}/*")
    assert [file.name for file in files] == ["a.gz", "b.txt", "c.jsonl", "d.jsonl.gz"]
    origins = [
        (review.text, {**review.origin, "file": Path(review.origin["file"]).name}) for review in read_reviews(files)
    ]
    assert origins == [
        ("zero", {"file": "a.gz", "line": 1}),
        ("one", {"file": "b.txt", "line": 1}),
        ("two", {"file": "b.txt", "line": 2}),
        ("three", {"file": "c.jsonl", "line": 1, "id": 7}),
        ("four", {"file": "d.jsonl.gz", "line": 1}),
    ]
    (one,) = find_files(f"{tmp_path}/c.jsonl")
    assert list(read_reviews([one])) == [Review("three", {"line": 1, "id": 7})]
    assert [review.text for review in read_reviews([tmp_path / "d.jsonl.gz"], table=TableSettings(format="jsonl"))] == [
        "four"
    ]


def test_a_file_whose_name_looks_like_a_pattern(tmp_path: Path) -> None:
    (tmp_path / "[1].txt").write_text("x")
    assert find_files(f"{tmp_path}/[1].txt") == [tmp_path / "[1].txt"]


def test_the_output_must_not_be_one_of_the_inputs(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "in.jsonl")
    assert find_files(f"{tmp_path}/in.jsonl", tmp_path / "out.jsonl") == [tmp_path / "in.jsonl"]
    for output in ("in.jsonl", "link.jsonl"):
        with pytest.raises(ReviewFileError, match=f"{output} is among the files of reviews; write the predictions to"):
            find_files(f"{tmp_path}/*.jsonl", tmp_path / output)


def test_unreadable_files_are_errors(tmp_path: Path) -> None:
    (tmp_path / "cut.txt.gz").write_bytes(gzip.compress(os.urandom(1000))[:-100])
    (tmp_path / "not.txt.gz").write_bytes(b"plain text")
    for name in ("cut.txt.gz", "not.txt.gz", "missing.txt"):
        with pytest.raises(ReviewFileError, match=f"{name}"):
            list(read_reviews([tmp_path / name]))
    for pattern in ("missing.txt", "*.csv", "."):
        with pytest.raises(ReviewFileError, match="there is no file "):
            find_files(f"{tmp_path}/{pattern}")
