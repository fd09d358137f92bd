from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.blog_data import read_reviews, write_cut
from components.example_gen.sample.generate import sample_review
from imdb_core.errors import SourceError

MEMBERS = {
    "aclImdb/README": "no review",
    "aclImdb/train/pos/0_9.txt": "good",
    "aclImdb/train/pos/1_9.txt": "very good",
    "aclImdb/train/neg/0_2.txt": "bad",
    "aclImdb/train/neg/1_2.txt": "very bad",
    "aclImdb/train/unsup/0_0.txt": "unknown",
    "aclImdb/test/neg/0_1.txt": "ünder",
    "aclImdb/test/pos/0_10.txt": "över",
}


def test_an_archive_is_read(archive: Callable[[dict[str, str]], str]) -> None:
    splits = read_reviews(archive(MEMBERS))
    assert splits["train"] == (["good", "very good", "bad", "very bad"], [1, 1, 0, 0])
    assert splits["test"] == (["ünder", "över"], [0, 1])


def test_a_limit_takes_both_sentiments_and_a_cut_holds_the_same(
    archive: Callable[[dict[str, str]], str], tmp_path: Path
) -> None:
    whole = archive(MEMBERS)
    limited = read_reviews(whole, limit=2)
    assert limited["train"] == (["good", "bad"], [1, 0])
    write_cut(whole, tmp_path / "cut.tar.gz", limit=2)
    assert read_reviews(str(tmp_path / "cut.tar.gz")) == limited


def test_the_sample_is_read() -> None:
    splits = read_reviews("sample", limit=4)
    assert splits["train"].labels == [0, 1, 0, 1]
    assert splits["test"].texts[3] == sample_review("test", 3, 1).text
    assert [len(split.labels) for split in read_reviews("sample").values()] == [4000, 500]


def test_unreadable_data_is_refused_with_the_reason(archive: Callable[[dict[str, str]], str], tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no test reviews"):
        read_reviews(archive({"train/pos/0_9.txt": "good"}))
    text = tmp_path / "reviews.csv"
    text.write_text("text,label\n")
    with pytest.raises(SourceError, match=r"reviews\.csv.*takes `sample` or an aclImdb"):
        read_reviews(str(text))
    whole = Path(archive({**MEMBERS, "test/pos/1_9.txt": "".join(map(chr, range(200, 20_000)))}))
    whole.write_bytes(whole.read_bytes()[:-2000])
    with pytest.raises(SourceError, match="cannot read"):
        read_reviews(str(whole))
