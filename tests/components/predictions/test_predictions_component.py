import logging
import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_artifacts
from tiny_evaluator import example, predict, save_oracle, write_examples

from components.predictions import writing
from imdb_core import features, progress
from imdb_core.errors import RunError
from imdb_core.modes import SELECTED_MODE
from imdb_core.progress import EVENT, Steps

pytestmark = pytest.mark.slow

# The first file has several batches; the second is empty, as in a small split.
FILES = (range(20), range(0), range(20, 27))
BUCKETS = ("001-050", "401+")


def review(number: int) -> tf.train.Example:
    made = example(
        number % 2,
        BUCKETS[number % 2],
        None if number % 3 == 0 else number % 10 + 1,
        vector=number / 32,
        scalar=number / 64,
        old=0.25,
        broken=math.nan if number == 5 else 0.5,
    )
    made.features.feature[features.ID].bytes_list.value.append(f"test/{number}".encode())
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("predictions")


@pytest.fixture(scope="module")
def models(folder):
    return {name: save_oracle(folder / name, name) for name in ("scalar", "vector", "old", "broken")}


@pytest.fixture(scope="module")
def examples(folder):
    files = [[review(number) for number in numbers] for numbers in FILES]
    return write_examples(folder / "examples", {"train": [[example(0, "001-050", None)]], "test": files})


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(writing, "_BATCH", 4)


@pytest.fixture
def of_modes(tmp_path, examples, models):
    return predict(tmp_path / "modes", examples, models["vector"], models["scalar"])


def winner(mode: str) -> standard_artifacts.Model:
    """Makes a model that has only its mode: running it would fail."""
    model = standard_artifacts.Model()
    model.uri = "/nowhere"
    model.set_string_custom_property(SELECTED_MODE, mode)
    return model


def files(artifact: standard_artifacts.Examples) -> dict[str, Path]:
    return {path.name: path for path in sorted(Path(artifact.uri, "Split-test").iterdir())}


def rows(artifact: standard_artifacts.Examples) -> list[tf.train.Example]:
    paths = [str(path) for path in files(artifact).values()]
    return [tf.train.Example.FromString(record.numpy()) for record in tf.data.TFRecordDataset(paths, "GZIP")]


def column(artifact: standard_artifacts.Examples, name: str) -> np.ndarray:
    return np.array([row.features.feature[name].float_list.value for row in rows(artifact)])


def both_classes(positive) -> np.ndarray:
    return np.stack([1 - positive, positive], axis=1)


NUMBERS = np.arange(27)


def test_each_review_keeps_its_place_and_has_both_models_probabilities(of_modes, examples):
    assert list(files(of_modes)) == list(files(examples))
    counts = [sum(1 for _ in tf.data.TFRecordDataset(str(path), "GZIP")) for path in files(of_modes).values()]
    assert counts == [len(numbers) for numbers in FILES]
    ids = [row.features.feature["id"].bytes_list.value[0] for row in rows(of_modes)]
    assert ids == [f"test/{number}".encode() for number in NUMBERS]
    np.testing.assert_array_equal(both_classes(NUMBERS / 32), column(of_modes, "candidate"))
    np.testing.assert_array_equal(both_classes(NUMBERS / 64), column(of_modes, "baseline"))


def test_all_features_but_the_text_are_kept(of_modes, examples):
    for before, after in zip(rows(examples), rows(of_modes), strict=True):
        before.features.feature.pop("text")
        after.features.feature.pop("candidate")
        after.features.feature.pop("baseline")
        assert before.SerializeToString(deterministic=True) == after.SerializeToString(deterministic=True)
    assert "rating" not in rows(of_modes)[0].features.feature


def test_the_artifact_describes_its_split_and_format(of_modes):
    assert artifact_utils.decode_split_names(of_modes.split_names) == ["test"]
    assert examples_utils.get_payload_format(of_modes) == example_gen_pb2.FORMAT_TF_EXAMPLE
    assert examples_utils.get_file_format(of_modes) == "tfrecords_gzip"


def test_the_same_models_make_the_same_bytes(of_modes, tmp_path, examples, models):
    again = predict(tmp_path / "again", examples, models["vector"], models["scalar"])
    for first, second in zip(files(of_modes).values(), files(again).values(), strict=True):
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(("mode", "scale"), [("vector", 32), ("scalar", 64)])
def test_the_winner_is_not_run_again_and_the_last_champion_is(  # noqa: PLR0917 - a table
    tmp_path, examples, models, of_modes, mode, scale
):
    made = predict(tmp_path / "champion", examples, winner(mode), models["old"], of_modes)
    np.testing.assert_array_equal(both_classes(NUMBERS / scale), column(made, "candidate"))
    np.testing.assert_array_equal(both_classes(np.full(27, 0.25)), column(made, "baseline"))


def test_the_baseline_is_not_run_again_if_it_was_the_candidate_of_another_node(tmp_path, examples, models, of_modes):
    of_scalar = predict(tmp_path / "scalar", examples, models["scalar"], None)
    made = predict(tmp_path / "both", examples, models["vector"], winner("scalar"), known_baseline=of_scalar)
    for first, second in zip(files(of_modes).values(), files(made).values(), strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_without_a_champion_no_model_is_run(tmp_path, examples, of_modes):
    made = predict(tmp_path / "champion", examples, winner("scalar"), None, of_modes)
    np.testing.assert_array_equal(both_classes(NUMBERS / 64), column(made, "candidate"))
    assert not any("baseline" in row.features.feature for row in rows(made))


def test_predictions_of_other_examples_are_refused(tmp_path, models, of_modes):
    files = [[review(number) for number in numbers] for numbers in (range(20), range(1), range(20, 27))]
    more = write_examples(tmp_path / "more", {"test": files})
    with pytest.raises(ValueError, match="shorter"):
        predict(tmp_path / "champion", more, winner("scalar"), models["old"], of_modes)


def test_the_error_names_a_model_that_returns_nan(tmp_path, examples, models):
    with pytest.raises(RunError, match=r"/broken/Format-Serving gave .* 2 of them NaN") as caught:
        predict(tmp_path / "modes", examples, models["broken"], models["scalar"])
    assert "\n" not in str(caught.value)


def test_progress_is_reported_while_files_are_written(monkeypatch, caplog, tmp_path, examples, models):
    def told() -> list[Steps]:
        return [getattr(record, EVENT) for record in caplog.records if record.name == progress.PROGRESS_LOGGER]

    caplog.set_level(logging.DEBUG, progress.PROGRESS_LOGGER)
    predict(tmp_path / "short", examples, models["vector"], None)
    assert told()[-1] == Steps(27, 27, "reviews")
    caplog.clear()
    monkeypatch.setattr(writing, "_PROGRESS_SECONDS", 0.0)
    predict(tmp_path / "long", examples, models["vector"], None)
    assert [steps.done for steps in told()] == [*range(1, 28), 27]
