from __future__ import annotations

import shutil
from pathlib import Path

import keras
import pytest
import tensorflow as tf
import tiny_models
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

from imdb_core.errors import RunError
from serving.releases.errors import ReleaseError
from serving.releases.verification import verify
from serving.releases.versions import RELEASE_FILE, PushedVersion, Release, digest, read_versions


def pushed(saved_model: Path, base: Path) -> PushedVersion:
    path = base / "7"
    shutil.copytree(saved_model, path)
    return noted(path)


def noted(path: Path) -> PushedVersion:
    release = Release(source="/model", sha256=digest(path), pushed_at=7)
    (path / RELEASE_FILE).parent.mkdir(exist_ok=True)
    (path / RELEASE_FILE).write_text(release.model_dump_json())
    return read_versions(path.parent)[7]


def write_warm_up(path: Path, signature: str, values: list[bytes]) -> None:
    request = predict_pb2.PredictRequest(
        model_spec=model_pb2.ModelSpec(name="m", signature_name=signature),
        inputs={"inputs": tf.make_tensor_proto(values, tf.string)},
    )
    log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
    (path / "assets.extra").mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path / "assets.extra" / "tf_serving_warmup_requests")) as writer:
        writer.write(log.SerializeToString())


def test_each_passed_check_is_reported(half_plus_two: Path, tmp_path: Path) -> None:
    told: list[str] = []
    verify(pushed(half_plus_two, tmp_path), told.append)
    assert [line.split(":")[0] for line in told] == [
        "files",
        "loads in TensorFlow's C++ runtime",
        "runs explain",
        "runs serve_text",
    ]


def test_warm_up_requests_reach_the_other_signatures(half_plus_two: Path, tmp_path: Path) -> None:
    path = pushed(half_plus_two, tmp_path).path
    example = tiny_models.example(x=4.0).SerializeToString()
    write_warm_up(path, "classify", [example, example])
    told: list[str] = []
    verify(noted(path), told.append)
    assert told[-1] == "runs its 1 warm-up requests: classify"
    write_warm_up(path, "classify", [b"no example"])
    with pytest.raises(RunError, match="fails in signature 'classify'"):
        verify(noted(path), told.append)


def test_a_changed_file_is_found_before_anything_is_loaded(half_plus_two: Path, tmp_path: Path) -> None:
    version = pushed(half_plus_two, tmp_path)
    (version.path / "saved_model.pb").write_bytes(b"")
    told: list[str] = []
    with pytest.raises(ReleaseError, match="are not those that were pushed"):
        verify(version, told.append)
    assert told == []


def test_a_model_that_only_python_can_run_is_refused(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input([1]), keras.layers.Dense(2, activation="softmax")])

    def serve_text(text: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": model(tf.cast(tf.strings.length(text), tf.float32)[:, tf.newaxis])}

    signature = tf.function(serve_text, input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    # The naive way to export it: tensorflow/serving#2250.
    tf.saved_model.save(model, str(tmp_path / "7"), signatures={"serve_text": signature})
    version = noted(tmp_path / "7")
    assert tf.saved_model.load(str(version.path)).signatures["serve_text"](tf.constant(["good"]))
    told: list[str] = []
    with pytest.raises(RunError, match=r"fails in signature 'serve_text' in TensorFlow's C\+\+ runtime"):
        verify(version, told.append)
    assert told[-1] == "loads in TensorFlow's C++ runtime"


def test_a_model_that_takes_no_text_is_refused(slow: Path, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="no signature whose only input is 'text'"):
        verify(pushed(slow, tmp_path), print)


class Faulty(tf.Module):
    """A model with invalid outputs."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def __call__(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        length = tf.cast(tf.strings.length(text), tf.float32)[:, tf.newaxis]
        if self.fault == "rows":
            return {"probabilities": tf.constant([[0.5, 0.5]])}
        # The empty text gives 0 / 0.
        value = length / length if self.fault == "NaN" else tf.ones_like(length)
        return {"probabilities": tf.concat([value, 1.0 - value if self.fault == "NaN" else value], axis=1)}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("NaN", "'probabilities' of signature 'serve_text' .* is not finite"),
        ("rows", r"has shape \(1, 2\) for 4 texts"),
        ("sum", "does not sum to 1"),
    ],
)
def test_invalid_outputs_are_found(tmp_path: Path, fault: str, message: str) -> None:
    module = Faulty(fault)
    tf.saved_model.save(module, str(tmp_path / "7"), signatures={"serve_text": module.__call__})
    with pytest.raises(ReleaseError, match=message):
        verify(noted(tmp_path / "7"), print)
