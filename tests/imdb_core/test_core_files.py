from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from imdb_core import files
from imdb_core.files import LOCAL, replacing, write_atomically, write_json

FILE_SYSTEMS = {"local": LOCAL, "gfile": tf.io.gfile}


@pytest.fixture(params=FILE_SYSTEMS)
def file_system(request: pytest.FixtureRequest) -> Any:
    return FILE_SYSTEMS[request.param]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "models.config"


def test_a_file_is_replaced_and_nothing_else_is_left(file: Path) -> None:
    for text in ("first\n", "zweite: ä\n"):
        write_atomically(file, text)
        assert text == file.read_text(encoding="utf-8")
    assert os.listdir(file.parent) == ["models.config"]


def test_bytes_are_written_unchanged_and_text_as_utf_8(file: Path) -> None:
    write_atomically(file, b"\xff\r\n\x00")
    assert file.read_bytes() == b"\xff\r\n\x00"
    write_atomically(str(file), "ä\r\n\0")
    assert file.read_bytes() == b"\xc3\xa4\r\n\x00"


def test_a_record_is_indented_json(file: Path) -> None:
    record = {"name": "ä", "values": [1, None, 0.1]}
    write_json(file, record)
    text = file.read_text()
    assert json.loads(text) == record
    assert text.startswith('{\n  "name"')
    assert text.endswith("}\n")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_permissions_are_those_of_the_umask_or_those_that_are_given(file: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_atomically(file, "mine")
        assert file.stat().st_mode & 0o7777 == 0o666 & ~umask
        write_atomically(file, "everybody's", mode=0o644)
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o7777 == 0o644


def test_two_writers_of_one_file_do_not_meet(file: Path) -> None:
    with replacing(file) as slow, replacing(file) as quick:
        Path(slow).write_text("slow")
        Path(quick).write_text("quick")
    assert file.read_text() == "slow"
    assert os.listdir(file.parent) == ["models.config"]


def test_a_link_stays_a_link_and_a_device_is_written_in_place(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "real")
    (tmp_path / "null").symlink_to(os.devnull)
    write_atomically(tmp_path / "link", "content")
    write_atomically(tmp_path / "null", "content")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "real").read_text() == "content"
    assert (tmp_path / "null").resolve() == Path(os.devnull)


def test_a_failed_write_leaves_the_old_content(file: Path) -> None:
    write_atomically(file, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(file, "new \ud800")
    assert file.read_text() == "old"
    assert os.listdir(file.parent) == ["models.config"]


def test_a_record_that_json_cannot_hold_leaves_the_old_content(file: Path) -> None:
    write_json(file, {"old": 1})
    with pytest.raises(TypeError):
        write_json(file, {"new": object()})
    assert json.loads(file.read_text()) == {"old": 1}
    assert os.listdir(file.parent) == ["models.config"]


def test_a_block_replaces_the_file_when_it_ends(file: Path, file_system: Any) -> None:
    file.write_text("old")
    with replacing(file, file_system) as partial:
        Path(partial).write_text("new")
        assert Path(partial).parent == file.parent
        assert file.read_text() == "old"
    assert file.read_text() == "new"
    assert os.listdir(file.parent) == ["models.config"]


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("old", ["old", None])
def test_a_block_that_raises_leaves_the_old_file_and_nothing_else(
    file: Path, file_system: Any, error: type[BaseException], old: str | None
) -> None:
    if old is not None:
        file.write_text(old)

    def write_half() -> None:
        with replacing(file, file_system) as partial:
            Path(partial).write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert [path.read_text() for path in file.parent.iterdir()] == ([] if old is None else [old])


def test_a_block_that_writes_nothing_is_an_error_and_leaves_the_old_file(file: Path, file_system: Any) -> None:
    file.write_text("old")
    with pytest.raises((FileNotFoundError, tf.errors.NotFoundError)), replacing(file, file_system):
        pass
    assert file.read_text() == "old"


def test_a_missing_folder_is_made(tmp_path: Path, file_system: Any) -> None:
    file = tmp_path / "some" / "folder" / "file"
    with replacing(file, file_system) as partial:
        Path(partial).write_text("new")
    assert file.read_text() == "new"


def test_a_bare_file_name_is_one_in_the_current_folder(
    tmp_path: Path, file_system: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with replacing("file", file_system) as partial:
        Path(partial).write_text("new")
    assert (tmp_path / "file").read_text() == "new"


def test_the_content_is_on_disk_before_the_file_gets_its_name(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[str, bool]] = []
    flush = files.flush

    def watched(path: Path) -> None:
        flush(path)
        done.append((path.name, file.exists()))

    monkeypatch.setattr(files, "flush", watched)
    write_atomically(file, "new")
    partial, folder = done
    assert re.fullmatch(r"\.models\.config\.[0-9a-f]{8}\.partial", partial[0])
    assert not partial[1]
    assert folder == (file.parent.name, True)


def test_a_reader_sees_one_content_or_the_other(file: Path) -> None:
    contents = [json.dumps([letter] * 50_000) for letter in "ab"]
    write_atomically(file, contents[0])
    stop, seen = threading.Event(), set()

    def read() -> None:
        while not stop.is_set():
            seen.add(file.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(100):
        write_atomically(file, contents[turn % 2])
    stop.set()
    reader.join()
    assert seen <= set(contents)


WRITE_HALF = """
import sys
from imdb_core.files import replacing
with replacing(sys.argv[1]) as partial, open(partial, "w") as stream:
    stream.write("half")
    stream.flush()
    print("written", flush=True)
    sys.stdin.read()
"""


def test_a_killed_process_leaves_the_old_file(file: Path) -> None:
    write_atomically(file, "old")
    command = [sys.executable, "-c", WRITE_HALF, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "written\n"
        writer.kill()
        assert writer.wait() == -signal.SIGKILL
    assert file.read_text() == "old"
    # The next writer is not disturbed by what the killed one left.
    write_atomically(file, "new")
    assert file.read_text() == "new"
