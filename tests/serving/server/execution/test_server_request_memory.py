from __future__ import annotations

import threading
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import classification_pb2, get_model_metadata_pb2, inference_pb2, predict_pb2
from tiny_models import example

from serving.server.errors import ServingError
from serving.server.execution.request_memory import MemoryBudget, memory_of
from serving.server.execution.tensors import memory_of_tensor, to_array

MIB = 2**20


def tensor(dtype: int, *sizes: int, **values: Any) -> tensor_pb2.TensorProto:
    proto = tensor_pb2.TensorProto(dtype=dtype, **values)
    for size in sizes:
        proto.tensor_shape.dim.add(size=size)
    return proto


def predict(**inputs: tensor_pb2.TensorProto) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest(model_spec={"name": "m"})
    for alias, proto in inputs.items():
        request.inputs[alias].CopyFrom(proto)
    return request


@pytest.mark.parametrize(
    ("proto", "expected"),
    [
        (tensor(types_pb2.DT_FLOAT, 1000, 1000, float_val=[1.0]), 4_000_000),
        (tensor(types_pb2.DT_DOUBLE, 2, 3), 48),
        (tensor(types_pb2.DT_BOOL, 7), 7),
        (tensor(types_pb2.DT_FLOAT, float_val=[1.0]), 4),
        (tensor(types_pb2.DT_STRING, 2, string_val=[b"ab", b"c"]), 160),
        # The last of four values fills three more.
        (tensor(types_pb2.DT_STRING, 7, string_val=[b"", b"", b"", b"x" * 1000]), 7 * 80 + 3000),
        (tensor(types_pb2.DT_STRING, 10), 800),
        (tensor(types_pb2.DT_FLOAT, 0, 2**62), 0),
        # Malformed ones are refused later.
        (tensor(types_pb2.DT_FLOAT, -1, 5), 0),
        (tensor(types_pb2.DT_RESOURCE, 5), 0),
        (tensor(999, 5), 0),
    ],
)
def test_memory_of_a_tensor(proto: tensor_pb2.TensorProto, expected: int) -> None:
    assert memory_of_tensor(proto) == expected
    assert memory_of(predict(x=proto)) == expected + predict(x=proto).ByteSize()


@given(
    st.sampled_from([tf.float16, tf.float32, tf.int64, tf.uint8, tf.complex64]), st.lists(st.integers(0, 5), max_size=4)
)
def test_the_memory_of_numbers_is_that_of_the_array(dtype: tf.DType, sizes: list[int]) -> None:
    proto = tensor(dtype.as_datatype_enum, *sizes)
    assert memory_of_tensor(proto) == to_array(proto, "x").nbytes == np.zeros(sizes, dtype.as_numpy_dtype).nbytes


def test_a_small_request_for_many_rows_is_known_to_be_large() -> None:
    request = predict(text=tensor(types_pb2.DT_STRING, 4_000_000, string_val=[b"good"]))
    assert request.ByteSize() < 100
    assert memory_of(request) > 300 * MIB


@pytest.mark.parametrize("message", [classification_pb2.ClassificationRequest, inference_pb2.MultiInferenceRequest])
def test_the_context_counts_for_each_example(message: type) -> None:
    request = message()
    listed = request.input.example_list_with_context
    listed.context.CopyFrom(example(text=b"x" * 10_000))
    listed.examples.extend([tf.train.Example()] * 100)
    assert 100 * 10_000 < memory_of(request) < 100 * 10_500


def test_examples_without_a_context_count_with_what_is_around_them() -> None:
    request = classification_pb2.ClassificationRequest()
    request.input.example_list.examples.extend([tf.train.Example()] * 100)
    assert 12_800 < memory_of(request) < 14_000


def test_a_request_without_tensors_takes_its_message() -> None:
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    assert memory_of(request) == request.ByteSize()
    assert memory_of(classification_pb2.ClassificationRequest()) == 0


def refusal(budget: MemoryBudget, size: int) -> str:
    with pytest.raises(ServingError) as caught, budget.reserved(size):
        pytest.fail("reserved")
    assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    return caught.value.message


def test_a_request_that_is_too_large_is_refused() -> None:
    budget = MemoryBudget(MIB, 10 * MIB)
    with budget.reserved(MIB):
        assert budget.taken == MIB
    assert refusal(budget, 3 * MIB // 2) == (
        "The request needs 1.5 MiB of memory; --max_tensor_bytes allows 1.0 MiB. Send fewer rows a request, or start "
        "the server with a higher limit"
    )
    assert budget.taken == 0


def test_requests_in_progress_are_counted_together() -> None:
    budget = MemoryBudget(2 * MIB, 3 * MIB)
    with budget.reserved(2 * MIB):
        with budget.reserved(MIB):
            assert refusal(budget, 1) == (
                "The request needs 0.0 MiB of memory, and those in progress take 3.0 MiB; --max_pending_bytes allows "
                "3.0 MiB together. Try again later"
            )
        with budget.reserved(1):
            pass
    assert budget.taken == 0


def test_a_request_that_is_alone_is_not_refused_for_others() -> None:
    with MemoryBudget(10, 5).reserved(8):
        pass


def test_memory_is_given_back_after_an_error() -> None:
    budget = MemoryBudget(10, 10)
    with pytest.raises(KeyError), budget.reserved(10):
        raise KeyError
    assert budget.taken == 0


def test_many_threads_never_take_more_than_allowed() -> None:
    budget = MemoryBudget(3, 10)
    most = []

    def work() -> None:
        for _ in range(500):
            try:
                with budget.reserved(3):
                    most.append(budget.taken)
            except ServingError:
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) <= 10
    assert budget.taken == 0
