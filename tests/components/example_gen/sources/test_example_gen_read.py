import pytest
from review_formats import write_file

from components.example_gen.sample.generate import sample_review
from components.example_gen.sources.locate import locate
from components.example_gen.sources.read import read
from components.example_gen.sources.rows import RowRules, ValidRow
from imdb_core.errors import SourceError
from imdb_core.reviews.rows import RejectedRow
from imdb_core.settings import DataSettings


def events(data):
    return [row for unit in locate(data, "").units for row in read(unit, data, RowRules.of(data))]


def rows(data):
    return [row for row in events(data) if isinstance(row, ValidRow | RejectedRow)]


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


def test_the_sample_is_complete_and_each_review_is_the_generated_one():
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
    write_file(tmp_path / "2024/a.csv")
    write_file(tmp_path / "2025/a.tsv", "text\tlabel\nfine\t1\n")
    write_file(tmp_path / "2025/b.jsonl", '{"text": "fine", "label": 1}\n')
    ids = [row.id for row in rows(DataSettings(source=f"{tmp_path}/*/*"))]
    assert ids == ["2024/a.csv:1", "2025/a.tsv:1", "2025/b.jsonl:1"]


def test_a_format_by_setting(tmp_path):
    path = write_file(tmp_path / "reviews.txt")
    assert [row.id for row in rows(DataSettings(source=str(path), format="csv"))] == ["reviews.txt:1"]


def test_a_folder_that_is_named_as_a_table(tmp_path):
    (tmp_path / "r.csv").mkdir()
    with pytest.raises(SourceError, match="no such file or folder"):
        rows(DataSettings(source=f"{tmp_path}/r.csv"))
    write_file(tmp_path / "r.csv/a.csv")
    assert [row.id for row in rows(DataSettings(source=f"{tmp_path}/r.csv"))] == ["a.csv:1"]


def test_a_review_over_max_bytes_is_rejected_in_every_archive(tmp_path):
    write_file(tmp_path / "aclImdb/test/neg/0_1.txt", "é" * 100)
    assert [
        row.reason for row in rows(DataSettings(source=str(tmp_path), max_bytes=199)) if isinstance(row, RejectedRow)
    ] == ["too_long"]
    assert len(rows(DataSettings(source=str(tmp_path), max_bytes=200))[0].text) == 100
