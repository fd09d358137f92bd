from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import model_pb2, prediction_log_pb2
from tiny_models import example

from serving.server.errors import ServingError
from serving.server.execution.servable import Servable
from serving.server.execution.warmup import MAX_RECORDS, WARMUP_FILE, warm_up

PREDICT = {"model_spec": {"name": "m"}, "inputs": {"x": tf.make_tensor_proto([1.0, 2.0])}}
EXAMPLES = {"example_list": {"examples": [example(x=1.0)]}}


def spec(signature: str) -> model_pb2.ModelSpec:
    return model_pb2.ModelSpec(name="m", signature_name=signature, version={"value": 99})


def log(kind: str, **request: object) -> bytes:
    return prediction_log_pb2.PredictionLog(**{kind: {"request": request}}).SerializeToString()


LOGS = {
    "predict": log("predict_log", **PREDICT),
    "no model": log("predict_log", inputs=PREDICT["inputs"]),
    "classify": log("classify_log", model_spec=spec("classify"), input=EXAMPLES),
    "regress": log("regress_log", model_spec=spec("regress"), input=EXAMPLES),
    "multi_inference": log(
        "multi_inference_log",
        tasks=[{"model_spec": spec("regress"), "method_name": "tensorflow/serving/regress"}],
        input=EXAMPLES,
    ),
    "nothing": b"",
}


@pytest.fixture
def servable(half_plus_two: Path, tmp_path: Path) -> Iterator[Servable]:
    path = shutil.copytree(half_plus_two, tmp_path / "copy")
    loaded = Servable.load("m", 1, str(path))
    yield loaded
    loaded.close()


def write(servable: Servable, *records: bytes) -> Path:
    file = Path(servable.path, WARMUP_FILE)
    file.parent.mkdir()
    with tf.io.TFRecordWriter(str(file)) as writer:
        for record in records:
            writer.write(record)
    return file


def test_a_model_may_have_no_warmup_requests(servable: Servable) -> None:
    assert warm_up(servable) == 0


def test_warmup_requests_of_all_kinds_are_run(servable: Servable) -> None:
    write(servable, *LOGS.values())
    assert warm_up(servable) == len(LOGS)


def test_warmup_works_in_a_thread_beside_an_event_loop(servable: Servable) -> None:
    write(servable, LOGS["predict"])
    done: list[int] = []
    thread = threading.Thread(target=lambda: done.append(warm_up(servable)))
    thread.start()
    thread.join()
    assert done == [1]


@pytest.mark.parametrize(
    ("bad", "code", "message"),
    [
        (
            log("predict_log", model_spec=spec("nope")),
            "FAILED_PRECONDITION",
            'Serving signature key "nope" not found.',
        ),
        (log("classify_log", model_spec=spec("classify")), "INVALID_ARGUMENT", "Input is empty."),
        (
            log("predict_log", model_spec=spec("regress"), inputs={"inputs": tf.make_tensor_proto(["no example"])}),
            "INVALID_ARGUMENT",
            "Could not parse example input, value: 'no example'",
        ),
        (log("session_run_log", feed=[]), "UNIMPLEMENTED", "Unsupported log_type for warmup: session_run_log"),
        (b"\xff", "INVALID_ARGUMENT", r"Failed to parse warmup record: b'\xff' from "),
    ],
)
def test_a_failing_request_fails_the_warmup(servable: Servable, bad: bytes, code: str, message: str) -> None:
    write(servable, LOGS["predict"], bad, LOGS["predict"])
    with pytest.raises(ServingError) as failure:
        warm_up(servable)
    assert failure.value.code.name == code
    assert failure.value.message.startswith(message)


def test_more_than_a_thousand_warmup_requests_are_refused(servable: Servable) -> None:
    file = write(servable, *[LOGS["nothing"]] * MAX_RECORDS)
    assert warm_up(servable) == MAX_RECORDS
    with tf.io.TFRecordWriter(str(file)) as writer:
        for _ in range(MAX_RECORDS + 1):
            writer.write(LOGS["nothing"])
    with pytest.raises(ServingError, match=r"INVALID_ARGUMENT: Number of warmup records exceeds the maximum \(1000\)"):
        warm_up(servable)


@pytest.mark.parametrize("keep", [20, -1])
def test_a_truncated_warmup_file_is_refused(servable: Servable, keep: int) -> None:
    file = write(servable, LOGS["predict"], LOGS["predict"])
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ServingError) as failure:
        warm_up(servable)
    assert failure.value.code == grpc.StatusCode.DATA_LOSS
    assert failure.value.message.endswith(". Please verify your warmup data is in TFRecord format.")


def test_each_request_is_replayed_as_often_as_asked(servable: Servable, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[str] = []
    run = Servable.run
    monkeypatch.setattr(Servable, "run", lambda self, key, *rest: runs.append(key) or run(self, key, *rest))
    write(servable, LOGS["predict"], LOGS["regress"])
    assert warm_up(servable, 3) == 2
    assert runs == ["serving_default"] * 3 + ["regress"] * 3
