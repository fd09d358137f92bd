import os

import pytest

from components.example_gen.sample.generate import sample_review
from components.example_gen.sources.locate import locate, read
from components.example_gen.sources.rows import Rejected
from imdb_core.errors import SourceError
from imdb_core.settings import DataSettings


def touch(path, content="text,label\nfine,1\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def rows(data):
    return [row for unit in locate(data, "").units for row in read(unit, data)]


def test_each_kind_of_source_holds_the_same_rows(source_of_each_kind, hand_written):
    found = sorted(
        (row.split, row.text, row.label, row.rating) for row in rows(DataSettings(source=str(source_of_each_kind)))
    )
    assert found == sorted((r.split, r.text, int(r.label == "pos"), r.rating) for r in hand_written)


def test_ids_are_unique(source_of_each_kind, hand_written):
    ids = {row.id for row in rows(DataSettings(source=str(source_of_each_kind)))}
    assert len(ids) == len(hand_written)
    if source_of_each_kind.suffix in {".gz", ".tgz"} and "tar" in str(source_of_each_kind):
        assert "train/pos/0_9" in ids


def test_the_sample_is_whole_and_each_review_itself():
    found = rows(DataSettings(sample_train=501, sample_test=3, sample_seed=7))
    assert [row.split for row in found] == ["train"] * 501 + ["test"] * 3
    expected = sample_review("test", 2, 7)
    assert (found[-1].id, found[-1].text, found[-1].label, found[-1].rating) == (
        expected.id,
        expected.text,
        expected.label,
        expected.rating,
    )


def test_a_glob_may_mix_formats_and_folders(tmp_path):
    touch(tmp_path / "2024/a.csv")
    touch(tmp_path / "2025/a.tsv", "text\tlabel\nfine\t1\n")
    touch(tmp_path / "2025/b.jsonl", '{"text": "fine", "label": 1}\n')
    ids = [row.id for row in rows(DataSettings(source=f"{tmp_path}/*/*"))]
    assert ids == ["2024/a.csv:1", "2025/a.tsv:1", "2025/b.jsonl:1"]


def test_a_format_by_setting(tmp_path):
    path = touch(tmp_path / "reviews.txt")
    assert [row.id for row in rows(DataSettings(source=str(path), format="csv"))] == ["reviews.txt:1"]


@pytest.mark.parametrize(
    ("source", "format_", "message"),
    [
        ("gone.csv", "auto", "no such file"),
        ("gone", "auto", "no such file or folder"),
        ("*.csv", "auto", "no such file"),
        ("gone.tar.gz", "acl_imdb", "no such file"),
        ("empty", "auto", r"neither an aclImdb folder .*give a glob such as .*empty/\*\.csv"),
        ("empty", "acl_imdb", "neither an aclImdb folder"),
        ("notes.txt", "auto", "neither an aclImdb folder"),
        ("notes.*", "auto", "does not tell how to read it"),
        ("n*", "acl_imdb", "does not tell how to read it"),
        ("nosuch://bucket/a.csv", "auto", "cannot list"),
    ],
)
def test_a_source_that_is_none(tmp_path, source, format_, message):
    (tmp_path / "empty").mkdir()
    touch(tmp_path / "notes.txt")
    path = source if "://" in source else f"{tmp_path}/{source}"
    with pytest.raises(SourceError, match=message) as caught:
        locate(DataSettings(source=path, format=format_), "")
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_named_as_a_table(tmp_path):
    (tmp_path / "r.csv").mkdir()
    with pytest.raises(SourceError, match="cannot read"):
        rows(DataSettings(source=f"{tmp_path}/r.csv"))


def test_the_fingerprint_changes_with_a_file_only(tmp_path):
    data = DataSettings(source=f"{tmp_path}/*.csv")
    path = touch(tmp_path / "a.csv")
    first = locate(data, "").fingerprint
    path.read_text()
    assert locate(data, "elsewhere").fingerprint == first
    os.utime(path, (1, 1))
    touched = locate(data, "").fingerprint
    touch(tmp_path / "b.csv")
    added = locate(data, "").fingerprint
    assert len({first, touched, added}) == 3


def test_the_fingerprint_of_a_folder_sees_every_review(hand_written, tmp_path):
    path = touch(tmp_path / "aclImdb/test/neg/0_1.txt", "bad")
    touch(tmp_path / "aclImdb/train/pos/0_10.txt", "good")
    data = DataSettings(source=str(tmp_path))
    first = locate(data, "").fingerprint
    path.write_text("worse")
    assert locate(data, "").fingerprint != first


def test_fingerprints_of_what_is_no_file():
    data = DataSettings(source="imdb")
    assert locate(data, "here").fingerprint == locate(data, "there").fingerprint
    assert locate(data, "").fingerprint != locate(DataSettings(source="imdb", download_sha256="0"), "").fingerprint
    sample = DataSettings()
    assert locate(sample, "").fingerprint == locate(DataSettings(), "").fingerprint
    for other in (DataSettings(sample_seed=2), DataSettings(sample_train=9), DataSettings(sample_test=9)):
        assert locate(other, "").fingerprint != locate(sample, "").fingerprint


def test_a_review_over_max_bytes_is_rejected_in_every_archive(tmp_path):
    touch(tmp_path / "aclImdb/test/neg/0_1.txt", "é" * 100)
    assert [
        row.reason for row in rows(DataSettings(source=str(tmp_path), max_bytes=199)) if isinstance(row, Rejected)
    ] == ["too_long"]
    assert len(rows(DataSettings(source=str(tmp_path), max_bytes=200))[0].text) == 100
