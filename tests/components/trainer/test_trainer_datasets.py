from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

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


def epochs(dataset: tf.data.Dataset, count: int, steps_per_epoch: int) -> list[list[tuple[np.ndarray, np.ndarray]]]:
    batches = list(dataset.take(count * steps_per_epoch).as_numpy_iterator())
    return [batches[start : start + steps_per_epoch] for start in range(0, len(batches), steps_per_epoch)]


def order(epoch: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[int]:
    """Which example each row of an epoch is: ids count on from row to row."""
    return [int(first) // LENGTH for token_ids, _ in epoch for first in token_ids[:, 0]]


class TestLoadExamples:
    def test_reads_what_transform_wrote(self, tmp_path: Path) -> None:
        examples = some_examples(5)
        write(tmp_path / "transformed_examples-00000-of-00001.gz", examples)
        loaded = load_examples([str(tmp_path / "*")], SPEC)
        np.testing.assert_array_equal(loaded.token_ids, examples.token_ids)
        np.testing.assert_array_equal(loaded.labels, examples.labels)
        assert (loaded.token_ids.dtype, loaded.labels.dtype) == (np.int32, np.int32)

    def test_labels_may_be_scalars(self, tmp_path: Path) -> None:
        examples = some_examples(5)
        write(tmp_path / "one.gz", examples)
        loaded = load_examples([str(tmp_path / "*")], {**SPEC, "label": tf.io.FixedLenFeature([], tf.int64)})
        np.testing.assert_array_equal(loaded.labels, examples.labels)

    def test_more_than_one_parsed_batch(self, tmp_path: Path) -> None:
        examples = some_examples(2500)
        write(tmp_path / "one.gz", examples)
        np.testing.assert_array_equal(load_examples([str(tmp_path / "*")], SPEC).token_ids, examples.token_ids)

    def test_files_are_read_in_the_order_of_their_names(self, tmp_path: Path) -> None:
        examples = some_examples(12)
        for number in (4, 0, 5, 2, 1, 3):  # file systems list by creation or by hash
            write(tmp_path / f"part-{number:05d}.gz", rows(examples, 2 * number, 2 * number + 2))
        patterns = [str(tmp_path / "part-0000[345]*"), str(tmp_path / "part-0000[0123]*")]
        np.testing.assert_array_equal(load_examples(patterns, SPEC).token_ids, examples.token_ids)

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
    @settings(max_examples=15)
    @given(count=st.integers(1, 40), batch=st.integers(1, 50), seed=st.integers(0, 2**32 - 1))
    def test_every_epoch_has_every_example_once_with_its_label(self, count: int, batch: int, seed: int) -> None:
        examples = some_examples(count)
        expected_sizes = [batch] * (count // batch) + ([count % batch] if count % batch else [])
        assert steps(examples, batch) == len(expected_sizes)
        for epoch in epochs(training_batches(examples, batch, seed), 2, steps(examples, batch)):
            assert sorted(order(epoch)) == list(range(count))
            assert [len(labels) for _, labels in epoch] == expected_sizes
            labels = np.concatenate([labels for _, labels in epoch])
            np.testing.assert_array_equal(labels.argmax(axis=1), examples.labels[order(epoch)])
            np.testing.assert_array_equal(labels.sum(axis=1), np.ones(count))

    def test_epochs_differ_seeds_differ_and_the_same_seed_repeats(self) -> None:
        examples = some_examples(64)
        first, second = map(order, epochs(training_batches(examples, 10, seed=1), 2, 7))
        assert first != second
        assert first != order(epochs(training_batches(examples, 10, seed=2), 1, 7)[0])
        assert [first, second] == list(map(order, epochs(training_batches(examples, 10, seed=1), 2, 7)))
        assert first != list(range(64))

    def test_an_epoch_is_the_same_wherever_training_begins(self) -> None:
        examples = some_examples(30)
        whole = list(map(order, epochs(training_batches(examples, 8, seed=3), 5, 4)))
        assert list(map(order, epochs(training_batches(examples, 8, seed=3, first_epoch=3), 2, 4))) == whole[3:]

    def test_element_spec(self) -> None:
        token_ids, labels = training_batches(some_examples(5), 2, seed=1).element_spec
        assert (token_ids.shape.as_list(), token_ids.dtype) == ([None, LENGTH], tf.int32)
        assert (labels.shape.as_list(), labels.dtype) == ([None, 2], tf.float32)


class TestEvaluationBatches:
    def test_passes_in_order_over_and_over(self) -> None:
        examples = some_examples(10)
        for one_pass in epochs(evaluation_batches(examples, 4), 3, steps(examples, 4)):
            assert order(one_pass) == list(range(10))
            np.testing.assert_array_equal(
                np.concatenate([labels for _, labels in one_pass]), np.eye(2, dtype=np.float32)[examples.labels]
            )
