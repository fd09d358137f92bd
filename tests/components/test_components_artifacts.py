import pytest
from tfx.types import standard_artifacts
from tiny_evaluator import example, write_examples

from components.artifacts import is_blessed, read_split, saved_model_folder, trained_model_file
from imdb_core.errors import BadDataError


@pytest.fixture
def examples(tmp_path) -> standard_artifacts.Examples:
    files = [[example(0, "001-050", rating) for rating in ratings] for ratings in ([1, 2], [], [3])]
    return write_examples(tmp_path, {"train": [[example(0, "001-050", 9)]], "test": files})


def ratings(examples) -> list[int]:
    return [features["rating"].int64_list.value[0] for features in read_split(examples, "test")]


def test_a_split_is_read_in_the_order_of_its_files(examples):
    assert ratings(examples) == [1, 2, 3]


def test_a_damaged_file_is_named(examples, tmp_path):
    damaged = tmp_path / "Split-test" / "data_tfrecord-00002-of-00003.gz"
    damaged.write_bytes(damaged.read_bytes()[:-4])
    with pytest.raises(BadDataError, match=f"cannot read {damaged}"):
        ratings(examples)


def test_a_missing_split_is_an_error(examples):
    with pytest.raises(ValueError, match="eval"):
        next(read_split(examples, "eval"))


def test_the_trained_model_is_beside_the_saved_model(tmp_path):
    model = standard_artifacts.Model()
    model.uri = str(tmp_path)
    assert saved_model_folder(model) == str(tmp_path / "Format-Serving")
    assert trained_model_file(model) == str(tmp_path / "Format-Keras" / "model.keras")


@pytest.mark.parametrize("blessed", [0, 1])
def test_a_verdict_is_a_property_of_the_blessing(blessed):
    blessing = standard_artifacts.InfraBlessing()
    blessing.set_int_custom_property("blessed", blessed)
    assert is_blessed(blessing) == bool(blessed)
