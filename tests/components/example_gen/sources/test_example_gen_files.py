"""Files of a source: paths with special characters, globs, braces, folders, and Beam's file systems."""

import os
from pathlib import Path

import pytest

from components.example_gen.sources.files import find_files, opened
from imdb_core.errors import SourceError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a/train-1.csv", "a/test-1.csv", "a/deep/er/x.csv", "b [1]/r{x,y}.csv", "b [1]/ü *.csv", "c.csv"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return tmp_path


def names(tree: Path, source: str) -> list[str]:
    found = find_files(f"{tree}/{source}")
    return [os.path.relpath(file.path, tree) for file in found.files]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("c.csv", ["c.csv"]),
        ("b [1]/r{x,y}.csv", ["b [1]/r{x,y}.csv"]),
        ("b [1]/ü *.csv", ["b [1]/ü *.csv"]),
        ("b [1]", ["b [1]/r{x,y}.csv", "b [1]/ü *.csv"]),
        ("b [1]/*.csv", ["b [1]/r{x,y}.csv", "b [1]/ü *.csv"]),
        ("a", ["a/deep/er/x.csv", "a/test-1.csv", "a/train-1.csv"]),
        ("a/", ["a/deep/er/x.csv", "a/test-1.csv", "a/train-1.csv"]),
        ("a/*.csv", ["a/test-1.csv", "a/train-1.csv"]),
        ("a/{train,test}-*", ["a/test-1.csv", "a/train-1.csv"]),
        ("{a/t*,c}.csv", ["a/test-1.csv", "a/train-1.csv", "c.csv"]),
        ("**/x.csv", ["a/deep/er/x.csv"]),
        ("a/t??in-[0-9].csv", ["a/train-1.csv"]),
        ("nothing*", []),
        ("gone/x.csv", []),
    ],
)
def test_a_path_that_exists_is_that_file_and_any_other_is_a_pattern(
    tree: Path, source: str, expected: list[str]
) -> None:
    assert names(tree, source) == expected


@pytest.mark.parametrize(
    ("source", "below"),
    [
        ("a", ["deep/er/x.csv", "test-1.csv", "train-1.csv"]),
        ("a/*.csv", ["test-1.csv", "train-1.csv"]),
        ("c.csv", ["c.csv"]),
        ("{a/train-1,c}.csv", ["a/train-1.csv", "c.csv"]),
    ],
)
def test_the_root_is_what_all_files_share(tree: Path, source: str, below: list[str]) -> None:
    found = find_files(f"{tree}/{source}")
    assert [file.path[found.root :] for file in found.files] == below
    assert found.is_one == (source == "c.csv")


def test_sizes_and_times_are_those_of_the_files(tree: Path) -> None:
    os.utime(tree / "c.csv", (1, 7))
    (file,) = find_files(f"{tree}/c.csv").files
    assert (file.size, file.changed) == (5, 7.0)


def test_a_link_that_leads_nowhere_is_found_and_cannot_be_opened(tree: Path) -> None:
    (tree / "a" / "link.csv").symlink_to(tree / "gone.csv")
    assert "a/link.csv" in names(tree, "a")
    with (
        pytest.raises(SourceError, match=r"data.source: cannot read .*link.csv: .*; check the path"),
        opened(f"{tree}/a/link.csv"),
    ):
        pass


def test_files_are_opened_as_they_are(tree: Path) -> None:
    (tree / "packed.gz").write_bytes(b"\x1f\x8b not gzip")
    with opened(f"{tree}/packed.gz") as file:
        assert file.read() == b"\x1f\x8b not gzip"


def test_an_unknown_file_system_is_refused() -> None:
    with pytest.raises(SourceError, match=r"cannot list nosuch://x: .*; check the path and your access rights"):
        find_files("nosuch://x")
