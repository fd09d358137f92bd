from __future__ import annotations

import os
from pathlib import Path

from serving.server.models.folder_content import content_of


def test_all_files_are_listed_with_sizes_and_times(tmp_path: Path) -> None:
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "index").write_text("abc")
    (tmp_path / "saved_model.pb").touch()
    os.utime(tmp_path / "saved_model.pb", ns=(0, 5))
    os.utime(tmp_path / "variables" / "index", ns=(0, 7))
    assert content_of(str(tmp_path)) == {"saved_model.pb": (0, 5), "variables/index": (3, 7)}


def test_every_change_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "assets" / "words"
    file.parent.mkdir()
    seen = [content_of(str(tmp_path))]

    def changed() -> bool:
        seen.append(content_of(str(tmp_path)))
        return seen[-1] not in seen[:-1]

    file.write_text("one")
    assert changed()
    file.write_text("one two")
    assert changed()
    os.utime(file, ns=(0, 1))
    assert changed()
    file.rename(tmp_path / "words")
    assert changed()


def test_links_that_lead_nowhere_or_around_are_left_out(tmp_path: Path) -> None:
    version = tmp_path / "1"
    version.mkdir()
    (version / "around").symlink_to(tmp_path)
    (version / "nowhere").symlink_to(tmp_path / "none")
    (version / "itself").symlink_to("itself")
    assert content_of(str(version)) == {}
    (tmp_path / "2").symlink_to(version)
    (version / "file").write_text("x")
    assert list(content_of(str(tmp_path / "2"))) == ["file"]


def test_a_missing_folder_and_a_file_have_no_content(tmp_path: Path) -> None:
    (tmp_path / "3").touch()
    assert (content_of(str(tmp_path / "2")), content_of(str(tmp_path / "3"))) == ({}, {})


def test_other_file_systems_are_not_listed() -> None:
    assert content_of("gs://bucket/model/1") is None
