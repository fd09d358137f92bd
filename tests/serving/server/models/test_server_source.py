from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from text_servables import model

from serving.server.models.source import VersionPolicy, aspired, versions_on_disk, versions_to_serve

VERSIONS = st.sets(st.integers(-(2**63), 2**63 - 1), max_size=8)


def found(base_path: Path, *names: str) -> tuple[dict[int, str], list[str]]:
    for name in names:
        (base_path / name).mkdir()
    warnings: list[str] = []
    return versions_on_disk(str(base_path), warnings.append), warnings


def test_only_folders_named_by_numbers_are_versions(tmp_path: Path) -> None:
    names = ["0", "7", "00000123", "-4", "1760000000", "tmp", "123.tmp", ".pushing-8", "1_0", "+3", "1e3", "٣", "0x10"]
    versions, warnings = found(tmp_path, *names, str(2**63 - 1), str(2**63), str(-(2**63)), str(-(2**63) - 1))
    assert list(versions) == [-(2**63), -4, 0, 7, 123, 1760000000, 2**63 - 1]
    assert (versions[123], warnings) == (f"{tmp_path}/00000123", [])


def test_a_repeated_number_gives_a_warning(tmp_path: Path) -> None:
    versions, warnings = found(tmp_path, "007", "7")
    assert versions == {7: f"{tmp_path}/7"}
    assert warnings == ["Duplicate version directories detected. Version 7 will be loaded from 7, 007 will be ignored."]


def test_a_name_that_is_not_utf8_does_not_hide_the_others(tmp_path: Path) -> None:
    os.mkdir(os.fsencode(tmp_path) + b"/\xff")
    assert found(tmp_path, "3")[0] == {3: f"{tmp_path}/3"}


def test_only_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    assert found(tmp_path) == ({}, [])
    for missing in (str(tmp_path / "none"), f"file://{tmp_path}/none"):
        with pytest.raises(OSError, match="none"):
            versions_on_disk(missing, pytest.fail)


def test_versions_are_found_on_other_file_systems(tmp_path: Path) -> None:
    found(tmp_path, "3", "tmp")
    assert versions_on_disk(f"file://{tmp_path}/", pytest.fail) == {3: f"file://{tmp_path}/3"}


@given(VERSIONS, st.integers(0, 10))
def test_latest_selects_the_highest_versions(versions: set[int], number: int) -> None:
    policy = VersionPolicy(latest={"num_versions": number})
    chosen = aspired(versions, policy)
    assert len(chosen) == min(max(number, 1), len(versions))
    assert all(other < one for one in chosen for other in versions - chosen)


@given(VERSIONS)
def test_the_default_policy_selects_the_highest_version(versions: set[int]) -> None:
    assert aspired(versions, VersionPolicy()) == ({max(versions)} if versions else set())


@given(VERSIONS, VERSIONS)
def test_all_and_specific_select_their_versions(versions: set[int], wanted: set[int]) -> None:
    assert aspired(versions, VersionPolicy(all={})) == versions
    policy = VersionPolicy(specific={"versions": wanted | set(list(versions)[:2])})
    assert aspired(versions, policy) == {version for version in versions if version in policy.specific.versions}


def test_missing_versions_give_warnings(tmp_path: Path) -> None:
    warnings: list[str] = []
    assert versions_to_serve(model(tmp_path), warnings.append) == {}
    assert versions_to_serve(model(tmp_path, specific=[3, 4]), warnings.append) == {}
    (tmp_path / "3").mkdir()
    assert versions_to_serve(model(tmp_path, specific=[3, 4]), warnings.append) == {3: f"{tmp_path}/3"}
    none = (
        f"No versions of servable m found under base path {tmp_path}. Did you forget to name your leaf directory as a "
        "number (eg. '/1/')?"
    )
    missing = "Versions {} of servable m, which were requested to be served as specific versions"
    starts = [none, missing.format([3, 4]), none, missing.format([4])]
    assert [warning[: len(start)] for warning, start in zip(warnings, starts, strict=True)] == starts
