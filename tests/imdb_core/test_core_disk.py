"""Tests of full disks; /dev/full is a real one."""

import errno
import shutil
import sqlite3

import pytest

from imdb_core.disk import describe_full_disk, full_disk_as_one_line, is_full_disk, require_space
from imdb_core.errors import BadDataError, RunError


def write_to_a_full_disk() -> None:
    with open("/dev/full", "w") as file:
        file.write("x" * 100_000)


def raised_by_a_library() -> None:
    try:
        write_to_a_full_disk()
    except OSError as error:
        raise ValueError("a library gave up") from error


def raised_while_handling() -> None:
    try:
        write_to_a_full_disk()
    except OSError:
        raise ValueError("a library gave up")  # noqa: B904 - libraries do so


def raised_in_words() -> None:
    raise sqlite3.OperationalError("database or disk is full")


def raised_about_a_quota() -> None:
    raise OSError(errno.EDQUOT, "Disk quota exceeded")


@pytest.mark.parametrize(
    "fail", [write_to_a_full_disk, raised_by_a_library, raised_while_handling, raised_in_words, raised_about_a_quota]
)
def test_a_full_disk_is_recognised_wherever_the_error_hides_it(fail, tmp_path):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of several kinds
        fail()
    assert is_full_disk(caught.value)
    with (
        pytest.raises(
            RunError, match=r"^the disk of .* has .* MB left of .* MB; .* needs more; make room there, or use"
        ),
        full_disk_as_one_line(tmp_path),
    ):
        fail()


def test_other_errors_stay_as_they_are(tmp_path):
    assert not is_full_disk(None)
    assert not is_full_disk(OSError(errno.EACCES, "Permission denied"))
    for error in (PermissionError("no"), BadDataError("no space left on device")):
        with pytest.raises(type(error)) as caught, full_disk_as_one_line(tmp_path):
            raise error
        assert caught.value is error


def test_a_circle_of_causes_ends():
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert not is_full_disk(first)


def test_the_folder_with_the_least_room_is_named(tmp_path):
    shared = "/dev/shm"  # noqa: S108 - another file system
    folders = {str(folder): shutil.disk_usage(folder).free for folder in (tmp_path, shared)}
    least = min(folders, key=lambda folder: folders[folder])
    assert describe_full_disk([*folders], "a run needs 5 MB").startswith(f"the disk of {least} has ")


def test_room_is_required_of_folders_that_do_not_exist_yet(tmp_path):
    require_space(tmp_path / "new" / "folder", 1000, "a run")
    with pytest.raises(RunError, match=r"has [\d.]+ MB left of [\d,.]+ MB; a run needs at least 1000000000 MB"):
        require_space(tmp_path / "new" / "folder", 10**15, "a run")
