"""Splits and labels in the names of folders and files."""

import pytest

from components.example_gen.sources.parts import part_of, split_of
from components.example_gen.splits import DECLARED
from imdb_core.errors import SourceError
from imdb_core.reviews.parts import LabelledText, labelled_text
from imdb_core.settings import DataSettings


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("train.csv", "train"),
        ("train-00000-of-00003.parquet", "train"),
        ("reviews_TRAIN.tsv.gz", "train"),
        ("labeledTrainData.tsv", None),
        ("data/val/pos/1_9.txt", "eval"),
        ("dev.jsonl", "eval"),
        ("validation-0.parquet", "eval"),
        ("eval/a.csv", "eval"),
        ("test/a.csv", "test"),
        ("my.test.csv", "test"),
        ("train/train-1.csv", "train"),
        ("training_notes.csv", "train"),
        ("contest.csv", None),
        ("evaluated.csv", None),
        ("strain.csv", None),
        ("device.csv", None),
        ("train_test.csv", None),
        ("reviews.csv", None),
    ],
)
def test_a_word_of_the_path_is_a_split(path: str, split: str | None) -> None:
    assert split_of(path, DECLARED) == split


def test_a_path_that_names_two_splits_is_refused() -> None:
    with pytest.raises(SourceError, match=r"names two splits, .*'train'.* and 'test' .*; rename a folder, or set"):
        split_of("train/test.csv", DECLARED)


def test_settings_add_names_and_leave_files_out() -> None:
    decide = part_of(DataSettings(splits={"Gold": "test", "old": "none", "train": "none"}))
    assert decide("gold/1.csv").split == "test"
    assert decide("old/1.csv").left_out == "data.splits leaves it out"
    assert decide("train.csv").left_out == "data.splits leaves it out"
    assert decide("new/1.csv") == (None, None)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (".DS_Store", "hidden"),
        ("._train.csv", "hidden"),
        (".git/x.csv", "hidden"),
        ("__MACOSX/train.csv", "hidden"),
        ("Thumbs.db", "hidden"),
        ("train/unsup/1_0.txt", "unlabelled"),
        ("unsupervised-00000-of-00001.parquet", "unlabelled"),
        ("./train.csv", None),
        ("../train.csv", None),
    ],
)
def test_what_is_no_review_is_left_out(path: str, reason: str | None) -> None:
    assert part_of(DataSettings())(path).left_out == reason


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("aclImdb/train/pos/12_9.txt", LabelledText("train/pos/12_9", "pos", "9")),
        ("train/Negative/a b.txt", LabelledText("train/Negative/a b", "neg", None)),
        ("pos/1_10.txt", LabelledText("pos/1_10", "pos", "10")),
        ("1_10.txt", None),
        ("train/pos/1.csv", None),
        ("train/unsup/1_0.txt", None),
    ],
)
def test_a_text_in_a_folder_of_labels(path: str, expected: LabelledText | None) -> None:
    assert labelled_text(path) == expected
