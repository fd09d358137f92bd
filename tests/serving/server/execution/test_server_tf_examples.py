from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2, input_pb2
from tiny_models import example

from serving.server.errors import ServingError
from serving.server.execution.tf_examples import classification_result, examples_of, regression_result

LABELS = np.array([[b"a", b"b"], [b"\xc3\xbc", b"\xff"]], object)
SCORES = np.float32([[0.25, 0.75], [1, 0]])


def pairs(result: classification_pb2.ClassificationResult) -> list[list[tuple[str, float]]]:
    return [[(one.label, one.score) for one in row.classes] for row in result.classifications]


def test_a_context_is_written_before_the_example() -> None:
    context, one, other = example(a=b"context"), example(b=b"one"), tf.train.Example()
    plain = input_pb2.Input(example_list={"examples": [one, other]})
    assert examples_of(plain).tolist() == [one.SerializeToString(), b""]
    both = input_pb2.Input(example_list_with_context={"examples": [one, other], "context": context})
    assert examples_of(both).tolist() == [
        context.SerializeToString() + one.SerializeToString(),
        context.SerializeToString(),
    ]


def test_labels_and_scores_become_pairs() -> None:
    result = classification_result({"classes": LABELS, "scores": SCORES}, 2)
    # Labels are text fields, so invalid UTF-8 is replaced.
    assert pairs(result) == [[("a", 0.25), ("b", 0.75)], [("ü", 1), ("�", 0)]]


def test_labels_or_scores_alone_are_enough() -> None:
    assert pairs(classification_result({"scores": SCORES}, 2)) == [[("", 0.25), ("", 0.75)], [("", 1), ("", 0)]]
    assert pairs(classification_result({"classes": LABELS[:1]}, 1)) == [[("a", 0), ("b", 0)]]


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"scores": SCORES[0]}, "Expected Tensor shape: [batch_size num_classes] but got [2]"),
        ({"classes": LABELS.reshape(1, 2, 2)}, "Expected Tensor shape: [batch_size num_classes] but got [1,2,2]"),
        ({"classes": SCORES}, "Expected classes Tensor of DT_STRING. Got: DT_FLOAT"),
        ({"scores": SCORES.astype(float)}, "Expected scores Tensor of DT_FLOAT. Got: DT_DOUBLE"),
        ({"scores": LABELS}, "Expected scores Tensor of DT_FLOAT. Got: DT_STRING"),
        ({"classes": LABELS[:1]}, "Expected classes output batch size of 2. Got: 1"),
        ({"scores": SCORES[:1]}, "Expected scores output batch size of 2. Got: 1"),
        (
            {"classes": LABELS[:, :1], "scores": SCORES},
            "Tensors class and score should match in dim_size(1). Got 1 vs. 2",
        ),
    ],
)
def test_other_outputs_are_not_a_classification(outputs: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ServingError) as failure:
        classification_result(outputs, 2)
    assert (failure.value.code.name, failure.value.message) == ("INVALID_ARGUMENT", message)


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_numbers_become_regressions(shape: tuple[int, ...]) -> None:
    result = regression_result({"outputs": np.float32([0.5, -1]).reshape(shape)}, 2)
    assert [one.value for one in result.regressions] == [0.5, -1]


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (np.float32(1), "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got []"),
        (SCORES, "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [2,2]"),
        (
            np.float32([[[1]], [[2]]]),
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [2,1,1]",
        ),
        (np.float32([1]), "Input batch size did not match output batch size: 2 vs. 1"),
        (np.int64([1, 2]), "Expected output Tensor of DT_FLOAT.  Got: DT_INT64"),
    ],
)
def test_other_outputs_are_not_a_regression(outputs: np.ndarray, message: str) -> None:
    with pytest.raises(ServingError) as failure:
        regression_result({"outputs": np.asarray(outputs)}, 2)
    assert (failure.value.code.name, failure.value.message) == ("INVALID_ARGUMENT", message)
