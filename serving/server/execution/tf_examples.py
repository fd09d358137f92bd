"""Converts tf.Examples to tensors, and tensors to classifications and regressions, by TensorFlow Serving's rules."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tensorflow_serving.apis import classification_pb2, input_pb2, regression_pb2

from serving.server.errors import invalid_argument
from serving.server.execution.signatures import CLASSES, REGRESSIONS, SCORES
from serving.server.execution.tensors import Arrays, data_type_name, shown_shape

_MATRIX: Final = 2


def examples_of(given: input_pb2.Input) -> NDArray[Any]:
    """Serializes a request's tf.Examples, object `[n]`; raises INVALID_ARGUMENT if there are none.

    A shared context is prepended to each: protobuf merges concatenated messages.
    """
    kind = given.WhichOneof("kind")
    listed = getattr(given, kind).examples if kind else ()
    if not listed:
        raise invalid_argument("Input is empty.")
    context = b"" if kind == "example_list" else given.example_list_with_context.context.SerializeToString()
    examples = np.empty(len(listed), object)
    examples[:] = [context + example.SerializeToString() for example in listed]
    return examples


def classification_result(outputs: Arrays, count: int) -> classification_pb2.ClassificationResult:
    """Builds the result of Classify; labels are empty, or scores 0, if the model does not give them.

    Args:
        outputs: `classes` string `[count, k]`, `scores` float32 `[count, k]`, or both.
        count: Number of tf.Examples.

    Raises:
        ServingError: INVALID_ARGUMENT for outputs of other shapes or dtypes.
    """
    for alias, dtype, name in ((CLASSES, np.object_, "DT_STRING"), (SCORES, np.float32, "DT_FLOAT")):
        if alias in outputs:
            _check_matrix(outputs[alias], alias, dtype, name, count)
    widths = [array.shape[1] for array in outputs.values()]
    if len(set(widths)) > 1:
        raise invalid_argument(
            f"Tensors class and score should match in dim_size(1). Got {outputs[CLASSES].shape[1]} vs. "
            f"{outputs[SCORES].shape[1]}"
        )
    labels = outputs[CLASSES].tolist() if CLASSES in outputs else [[b""] * widths[0]] * count
    scores = outputs[SCORES].tolist() if SCORES in outputs else [[0.0] * widths[0]] * count
    result = classification_pb2.ClassificationResult()
    for row_labels, row_scores in zip(labels, scores, strict=True):
        classes = result.classifications.add().classes
        for label, score in zip(row_labels, row_scores, strict=True):
            classes.add(label=label.decode(errors="replace"), score=score)
    return result


def regression_result(outputs: Arrays, count: int) -> regression_pb2.RegressionResult:
    """Builds the result of Regress for `count` tf.Examples.

    Raises:
        ServingError: INVALID_ARGUMENT unless `outputs` is float32 `[count]` or `[count, 1]`.
    """
    values = outputs[REGRESSIONS]
    if values.ndim != 1 and values.shape[1:] != (1,):
        raise invalid_argument(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            f"{shown_shape(values.shape)}"
        )
    if len(values) != count:
        raise invalid_argument(f"Input batch size did not match output batch size: {count} vs. {len(values)}")
    if values.dtype != np.float32:
        raise invalid_argument(f"Expected output Tensor of DT_FLOAT.  Got: {data_type_name(values.dtype)}")
    regressions = [regression_pb2.Regression(value=value) for value in values.ravel().tolist()]
    return regression_pb2.RegressionResult(regressions=regressions)


def _check_matrix(array: NDArray[Any], alias: str, dtype: Any, dtype_name: str, count: int) -> None:
    if array.ndim != _MATRIX:
        raise invalid_argument(f"Expected Tensor shape: [batch_size num_classes] but got {shown_shape(array.shape)}")
    if array.dtype != dtype:
        raise invalid_argument(f"Expected {alias} Tensor of {dtype_name}. Got: {data_type_name(array.dtype)}")
    if len(array) != count:
        raise invalid_argument(f"Expected {alias} output batch size of {count}. Got: {len(array)}")
