from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.network.lengths import lengths
from components.trainer.datasets import Examples, evaluation_batches, load_examples, steps, training_batches
from imdb_core.errors import BadDataError

LENGTH = 4
SPEC = {
    "token_ids": tf.io.FixedLenFeature([LENGTH], tf.int64),
    "label": tf.io.FixedLenFeature([1], tf.int64),
    "rating": tf.io.FixedLenFeature([], tf.int64),
}


def some_examples(count: int) -> Examples:
    ids = np.arange(count * LENGTH, dtype=np.int32).reshape(count, LENGTH)
    return Examples(ids, (np.arange(count, dtype=np.int32) * 7 // 3) % 2)


def write(path: Path, examples: Examples) -> None:
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path), options="GZIP") as writer:
        for token_ids, label in zip(*examples, strict=True):
            features = {"token_ids": token_ids, "label": [label], "rating": [5]}
            writer.write(
                tf.train.Example(
                    features=tf.train.Features(
                        feature={
                            name: tf.train.Feature(int64_list=tf.train.Int64List(value=value))
                            for name, value in features.items()
                        }
                    )
                ).SerializeToString()
            )


def rows(examples: Examples, start: int, stop: int) -> Examples:
    return Examples(examples.token_ids[start:stop], examples.labels[start:stop])


def some_reviews(count: int) -> Examples:
    """Reviews of 1 to `LENGTH` tokens, whose second to last id says which one it is."""
    length = 1 + np.arange(count) * 7 % 5 % LENGTH
    token_ids = np.where(np.arange(LENGTH) < length[:, np.newaxis], 10 + np.arange(count)[:, np.newaxis], 0)
    return Examples(token_ids.astype(np.int32), (np.arange(count, dtype=np.int32) * 7 // 3) % 2)


def order(epoch: Iterable[Examples]) -> list[int]:
    """Which of `some_reviews` each row of an epoch is."""
    return [int(first) - 10 for batch in epoch for first in batch.token_ids[:, 0]]


def as_pairs(examples: Examples) -> list[tuple[tuple[int, ...], int]]:
    return [(tuple(map(int, ids)), int(label)) for ids, label in zip(*examples, strict=True)]


class TestLoadExamples:
    def test_reads_what_transform_wrote(self, tmp_path: Path) -> None:
        examples = some_examples(5)
        write(tmp_path / "transformed_examples-00000-of-00001.gz", examples)
        loaded = load_examples([str(tmp_path / "*")], SPEC)
        assert sorted(as_pairs(loaded)) == sorted(as_pairs(examples))
        assert (loaded.token_ids.dtype, loaded.labels.dtype) == (np.int32, np.int32)

    def test_labels_may_be_scalars(self, tmp_path: Path) -> None:
        examples = some_examples(5)
        write(tmp_path / "one.gz", examples)
        loaded = load_examples([str(tmp_path / "*")], {**SPEC, "label": tf.io.FixedLenFeature([], tf.int64)})
        assert sorted(as_pairs(loaded)) == sorted(as_pairs(examples))

    def test_more_than_one_parsed_batch(self, tmp_path: Path) -> None:
        examples = some_examples(2500)
        write(tmp_path / "one.gz", examples)
        assert sorted(as_pairs(load_examples([str(tmp_path / "*")], SPEC))) == sorted(as_pairs(examples))

    def test_the_order_is_that_of_the_content_and_not_of_files_or_workers(self, tmp_path: Path) -> None:
        examples = some_examples(12)
        write(tmp_path / "one" / "all.gz", examples)
        for number, start in enumerate((8, 0, 4)):
            part = rows(examples, start, start + 4)
            write(tmp_path / "three" / f"{number}.gz", Examples(part.token_ids[::-1], part.labels[::-1]))
        one, three = (load_examples([str(tmp_path / folder / "*")], SPEC) for folder in ("one", "three"))
        assert as_pairs(one) == as_pairs(three)
        # Nor is it one that sorts reviews by length or label.
        assert as_pairs(one) != sorted(as_pairs(examples))

    def test_no_file_or_an_empty_file_is_no_example(self, tmp_path: Path) -> None:
        write(tmp_path / "empty.gz", some_examples(0))
        for patterns in ([], [str(tmp_path / "absent*")], [str(tmp_path / "*")]):
            loaded = load_examples(patterns, SPEC)
            assert loaded.token_ids.shape == (0, LENGTH)
            assert loaded.labels.shape == (0,)

    def test_a_truncated_file_is_an_error_and_not_fewer_examples(self, tmp_path: Path) -> None:
        path = tmp_path / "one.gz"
        write(path, some_examples(500))
        os.truncate(path, path.stat().st_size // 2)
        with pytest.raises(BadDataError, match=r"one\.gz"):
            load_examples([str(path)], SPEC)


class TestTrainingBatches:
    @settings(max_examples=25)
    @given(count=st.integers(1, 400), batch=st.integers(1, 50), seed=st.integers(0, 2**32 - 1), by_length=st.booleans())
    def test_every_epoch_has_every_example_once_with_its_label(
        self, count: int, batch: int, seed: int, by_length: bool
    ) -> None:
        examples = some_reviews(count)
        expected_sizes = [batch] * (count // batch) + ([count % batch] if count % batch else [])
        assert steps(examples, batch) == len(expected_sizes)
        for number in range(2):
            epoch = list(training_batches(examples, batch, seed, number, by_length=by_length))
            assert sorted(order(epoch)) == list(range(count))
            assert sorted((len(one.labels) for one in epoch), reverse=True) == expected_sizes
            np.testing.assert_array_equal(np.concatenate([one.labels for one in epoch]), examples.labels[order(epoch)])

    @pytest.mark.parametrize("by_length", [False, True])
    def test_epochs_differ_seeds_differ_and_the_same_seed_repeats(self, by_length: bool) -> None:
        def epoch(seed: int, number: int) -> list[int]:
            return order(training_batches(some_reviews(64), 10, seed, number, by_length=by_length))

        assert epoch(1, 0) == epoch(1, 0)
        assert len({tuple(one) for one in (epoch(1, 0), epoch(1, 1), epoch(2, 0), range(64))}) == 4

    def test_batches_by_length_end_at_their_longest_review(self) -> None:
        examples = some_reviews(4000)
        (random_ids, *_), *_ = random = list(training_batches(examples, 8, 1, 0, by_length=False))
        assert random_ids.shape == (8, LENGTH)
        trimmed = list(training_batches(examples, 8, 1, 0, by_length=True))
        for batch in trimmed:
            assert batch.token_ids.shape[1] == lengths(batch.token_ids).max()
        # A pool of 400 reviews has each of the four lengths 80 to 160 times: at most 4 batches of it are mixed.
        mixed = [len(set(lengths(batch.token_ids))) > 1 for batch in trimmed]
        assert sum(mixed) <= 4 * 10
        # Short and long batches take turns.
        assert len({batch.token_ids.shape[1] for batch in trimmed[:20]}) > 1
        assert len(trimmed) == len(random)

    def test_the_empty_review_keeps_one_column(self) -> None:
        nothing = Examples(np.zeros([3, LENGTH], np.int32), np.zeros([3], np.int32))
        (batch,) = training_batches(nothing, 8, 1, 0, by_length=True)
        assert batch.token_ids.shape == (3, 1)


@pytest.mark.parametrize("by_length", [False, True])
def test_evaluation_batches_say_which_rows_they_hold(by_length: bool) -> None:
    examples = some_reviews(10)
    batches = list(evaluation_batches(examples, 4, by_length=by_length))
    assert [len(rows) for rows, _ in batches] == [4, 4, 2]
    assert order(batch for _, batch in batches) == [row for rows, _ in batches for row in rows]
    for rows, batch in batches:
        np.testing.assert_array_equal(batch.labels, examples.labels[rows])
        width = lengths(batch.token_ids).max() if by_length else LENGTH
        assert batch.token_ids.shape == (len(rows), width)
    assert (order(batch for _, batch in batches) == list(range(10))) == (not by_length)
