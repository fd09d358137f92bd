from __future__ import annotations

import contextlib
import gzip
import os
import re
from pathlib import Path

import pytest

from serving.client.errors import ReviewFileError
from serving.predict.output_files import json_line, written_atomically


def test_output_lines_begin_with_the_origin_of_the_review() -> None:
    assert (
        json_line({"line": 1}, {"text": "é\n\u2028", "label": "x"})
        == '{"line": 1, "text": "é\\n\u2028", "label": "x"}\n'
    )


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz"])
def test_output_appears_when_it_is_complete(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with written_atomically(path) as file:
        file.write("é\n")
        assert not path.exists()
    content = path.read_bytes()
    assert (gzip.decompress(content) if name.endswith("gz") else content) == "é\n".encode()
    assert [child.name for child in tmp_path.iterdir()] == [name]

    with written_atomically(path) as file:
        file.write("é\n")
    assert path.read_bytes() == content  # the gzip header has no time

    with contextlib.suppress(ZeroDivisionError), written_atomically(path) as file:
        file.write("other\n")
        file.write(str(1 / 0))
    assert path.read_bytes() == content
    assert [child.name for child in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_output_has_the_permissions_of_any_new_file(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        (tmp_path / "plain").write_text("")
        with written_atomically(tmp_path / "out"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_output_through_a_link_and_into_a_device(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with written_atomically(tmp_path / "link") as file:
        file.write("x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "x"
    (tmp_path / "null").symlink_to("/dev/null")  # root could replace the real device
    with written_atomically(tmp_path / "null") as file:
        file.write("x")
    assert (tmp_path / "null").read_bytes() == b""
    assert Path("/dev/null").is_char_device()


def test_an_unwritable_output_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "missing" / "out", tmp_path / "file" / "out", tmp_path):
        with (
            pytest.raises(ReviewFileError, match=r"cannot write .*; give a file in a folder that exists"),
            written_atomically(path),
        ):
            pass


def test_a_full_disk_is_said_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("/dev/full")  # a real disk that is full
    with pytest.raises(ReviewFileError) as caught, written_atomically(tmp_path / "out") as file:
        file.write("x")
    said, _, room = str(caught.value).partition(" has ")
    assert said == f"cannot write {tmp_path}/out: the disk of {tmp_path}"
    assert re.fullmatch(r"[\d.]+ MB left of [\d.,]+ MB; the answers need more; make room there, or use a .* disk", room)
