from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from released import MODEL, add_version

from serving.releases.errors import ReleaseError
from serving.releases.versions import (
    CARD_TEXT,
    PAPERS,
    RELEASE_FILE,
    SBOM,
    Blessing,
    check_files,
    digest,
    read_paper,
    read_versions,
    sha256,
)


def test_only_versions_that_a_server_would_find_are_read(tmp_path: Path) -> None:
    base = tmp_path / MODEL
    assert read_versions(base) == {}
    for number in (10, 9):
        add_version(tmp_path, number)
    for name in (".pushing-11", "tmp", "12.tmp", "-3", "1e3", "٣", "1" * 30):
        (base / name).mkdir()
    (base / "13").write_text("no folder")
    (base / "00000014").mkdir()
    versions = read_versions(base)
    assert list(versions) == [9, 10, 14]
    assert base / "00000014" == versions[14].path


def test_the_release_file_is_read(tmp_path: Path) -> None:
    blessings = {"infra": Blessing(blessed=True, artifact="/check", reason="all the same")}
    add_version(tmp_path, 7, run_id="monday", mode="scalar", metrics={"accuracy": 0.875}, blessings=blessings)
    release = read_versions(tmp_path / MODEL)[7].release
    assert release is not None
    assert (release.run_id, release.mode, release.metrics) == ("monday", "scalar", {"accuracy": 0.875})
    assert blessings == release.blessings


def test_a_release_file_of_an_older_project_can_be_read(tmp_path: Path) -> None:
    path = add_version(tmp_path, 7)
    (path / RELEASE_FILE).write_text('{"source": "/model", "sha256": "00", "pushed_at": 1}')
    release = read_versions(tmp_path / MODEL)[7].release
    assert release is not None
    assert (release.run_id, release.metrics, release.blessings) == (None, {}, {})


@pytest.mark.parametrize("content", [None, "", "[]", '{"source": 1}', "\ud800"])
def test_a_version_without_a_readable_release_file_has_no_release(tmp_path: Path, content: str | None) -> None:
    path = add_version(tmp_path, 7)
    (path / RELEASE_FILE).unlink()
    if content is not None:
        (path / RELEASE_FILE).write_bytes(content.encode("utf-8", "surrogatepass"))
    version = read_versions(tmp_path / MODEL)[7]
    assert version.release is None
    with pytest.raises(ReleaseError, match=r"version 7 has no readable assets.extra/release\.json"):
        check_files(version)


def test_the_size_is_the_sum_of_the_files(tmp_path: Path) -> None:
    path = add_version(tmp_path, 7)
    (path / "variables" / "data").write_bytes(b"0" * 2_500_000)
    assert pytest.approx(2.5, abs=0.01) == read_versions(tmp_path / MODEL)[7].megabytes


def test_an_unchanged_version_passes_even_as_a_copy(tmp_path: Path) -> None:
    path = add_version(tmp_path, 7)
    shutil.copytree(path, path.with_name("8"))
    for version in read_versions(tmp_path / MODEL).values():
        check_files(version)


@pytest.mark.parametrize("change", ["content", "name", "missing", "more"])
def test_any_change_of_a_file_is_found(tmp_path: Path, change: str) -> None:
    path = add_version(tmp_path, 7)
    before = digest(path)
    file = path / "variables" / "variables.index"
    if change == "content":
        file.write_bytes(b"x" * 999 + b"y")
    elif change == "name":
        file.rename(file.with_name("variables.other"))
    elif change == "missing":
        file.unlink()
    else:
        (path / "assets").mkdir()
        (path / "assets" / "empty").touch()
    assert before != digest(path)
    with pytest.raises(ReleaseError, match="are not those that were pushed"):
        check_files(read_versions(tmp_path / MODEL)[7])


def with_papers(models: Path, number: int) -> Path:
    path = add_version(models, number, papers={name: sha256(name.encode()) for name in PAPERS})
    for name in PAPERS:
        (path / name).write_text(name)
    return path


def test_papers_do_not_change_the_digest_of_a_model(tmp_path: Path) -> None:
    path = with_papers(tmp_path, 7)
    assert digest(path) == digest(add_version(tmp_path, 7, "without"))
    version = read_versions(tmp_path / MODEL)[7]
    check_files(version)
    assert [read_paper(version, name) for name in PAPERS] == list(PAPERS)


@pytest.mark.parametrize("name", PAPERS)
@pytest.mark.parametrize("change", ["content", "missing"])
def test_any_change_of_a_paper_is_found(tmp_path: Path, name: str, change: str) -> None:
    path = with_papers(tmp_path, 7)
    if change == "content":
        (path / name).write_text(f"{name}!")
    else:
        (path / name).unlink()
    version = read_versions(tmp_path / MODEL)[7]
    with pytest.raises(ReleaseError, match="is not what was pushed"):
        check_files(version)
    with pytest.raises(ReleaseError, match="is not what was pushed"):
        read_paper(version, name)


def test_a_paper_that_was_added_later_is_found(tmp_path: Path) -> None:
    path = add_version(tmp_path, 7)
    (path / SBOM).write_text("{}")
    with pytest.raises(ReleaseError, match=r"recorded is no such file"):
        check_files(read_versions(tmp_path / MODEL)[7])


def test_a_version_that_was_pushed_without_papers_has_no_card(tmp_path: Path) -> None:
    add_version(tmp_path, 7)
    version = read_versions(tmp_path / MODEL)[7]
    check_files(version)
    with pytest.raises(ReleaseError, match=r"version 7 has no card: it was pushed without MODEL_CARD\.md"):
        read_paper(version, CARD_TEXT)
