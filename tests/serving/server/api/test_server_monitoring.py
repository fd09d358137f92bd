from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.server.api.monitoring import Metrics
from serving.server.errors import ServingError, invalid_argument
from serving.server.execution.batching import Batch
from serving.server.execution.servable import Servable

PREFIX = ":tensorflow:serving:"


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Returns (name, *label values in the order of their names) → value; the parser appends `_total` to counters."""
    return {
        (
            sample.name.removeprefix(PREFIX).removesuffix("_total"),
            *(value for _, value in sorted(sample.labels.items())),
        ): sample.value
        for family in text_string_to_metric_families(metrics.page().decode())
        for sample in family.samples
    }


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(lambda name: name == "m")


def failing_request(metrics: Metrics, model: str, error: Exception) -> None:
    with pytest.raises(type(error)), metrics.request(model, "Predict", "GRPC"):
        raise error


def test_requests_are_counted_by_status(metrics: Metrics) -> None:
    for _ in range(3):
        with metrics.request("m", "Predict", "GRPC"):
            pass
    failing_request(metrics, "m", invalid_argument("wrong"))
    failing_request(metrics, "m", RuntimeError("a bug"))
    counted = samples(metrics)
    assert counted["request_count", "m", "OK"] == 3
    assert counted["request_count", "m", "INVALID_ARGUMENT"] == 1
    assert counted["request_count", "m", "INTERNAL"] == 1


def test_only_successful_requests_count_for_the_latency(metrics: Metrics) -> None:
    with metrics.request("m", "predict", "REST"):
        pass
    failing_request(metrics, "m", invalid_argument("wrong"))
    counted = samples(metrics)
    assert counted["request_latency_count", "predict", "REST", "m"] == 1
    assert ("request_latency_count", "Predict", "GRPC", "m") not in counted


def test_unknown_model_names_count_as_one(metrics: Metrics) -> None:
    for number in range(100):
        failing_request(metrics, f"made-up-{number}", invalid_argument("Unrecognized servable version label: x"))
    assert samples(metrics)["request_count", "", "INVALID_ARGUMENT"] == 100
    assert b"made-up" not in metrics.page()


def test_buckets_are_those_of_tensorflow_serving(metrics: Metrics) -> None:
    metrics.runtime("m", "Predict", 20e-6)
    limits = [
        float(name[2]) for name in samples(metrics) if name[0] == "runtime_latency_bucket" and name[1] == "Predict"
    ]
    assert len(limits) == 34
    assert limits[:6] == [10, 18, 32.4, 58.32, 104.976, 188.957]
    assert limits[-1] == float("inf")
    counted = samples(metrics)
    assert counted["runtime_latency_bucket", "Predict", "18.0", "m", "TF1"] == 0
    assert counted["runtime_latency_bucket", "Predict", "32.4", "m", "TF1"] == 1
    assert counted["runtime_latency_sum", "Predict", "m", "TF1"] == pytest.approx(20)


def test_examples_are_counted(metrics: Metrics) -> None:
    metrics.examples("m", 3)
    metrics.examples("m", 4)
    counted = samples(metrics)
    assert counted["request_example_count", "m"] == 7
    assert counted["request_example_counts_bucket", "2.0", "m"] == 0
    assert counted["request_example_counts_bucket", "4.0", "m"] == 2


def test_warmups_are_timed_by_status(metrics: Metrics) -> None:
    with metrics.warmup("/models/m/1"):
        pass
    with pytest.raises(ServingError), metrics.warmup("/models/m/2"):
        raise invalid_argument("wrong")
    counted = samples(metrics)
    assert counted["model_warmup_latency_count", "/models/m/1", "OK"] == 1
    assert counted["model_warmup_latency_count", "/models/m/2", "INVALID_ARGUMENT"] == 1


def test_batches_are_counted(metrics: Metrics, half_plus_two: Path) -> None:
    servable = Servable.load("m", 1, str(half_plus_two))
    metrics.batch(Batch(servable, "serving_default", calls=2, rows=3, queued=[1e-6, 15e-6], seconds=0.1))
    metrics.batch(Batch(servable, "serving_default", calls=1, rows=1, queued=[0.0], seconds=0.1))
    servable.close()
    counted = samples(metrics)
    assert counted["batching_session:wrapped_run_count",] == 2
    assert counted["batching_session:processed_batch_size_bucket", "2.0"] == 1
    assert counted["batching_session:processed_batch_size_bucket", "4.0"] == 2
    assert counted["batching_session:queuing_latency_bucket", "10.0"] == 2
    assert counted["batching_session:queuing_latency_count",] == 3
    assert "# TYPE :tensorflow:serving:batching_session:wrapped_run_count counter" in metrics.page().decode()


def test_counters_have_the_names_of_tensorflow_serving(metrics: Metrics) -> None:
    with metrics.request("m\n:tensorflow:serving:request_count_total", "Predict", "GRPC"):
        pass
    with metrics.request("m", "Predict", "GRPC"):
        pass
    lines = metrics.page().decode().splitlines()
    assert "# TYPE :tensorflow:serving:request_count counter" in lines
    assert ':tensorflow:serving:request_count{model_name="m",status="OK"} 1.0' in lines
    assert not any("_created" in line for line in lines)
