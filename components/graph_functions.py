"""TensorFlow graphs of Python functions."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


def graph_function(function: Callable[..., Any], input_signature: Sequence[tf.TensorSpec] | None = None) -> Any:
    """Returns a function that runs as a graph, traced when it is first called.

    AutoGraph is off: it parses the source of everything that is called, Keras's layers too, which takes several times
    as long as the tracing itself. No function here has Python's `if` or loops on values of tensors.

    Args:
        function: A function of tensors.
        input_signature: The shapes and dtypes of its arguments; by default a graph for each shape that occurs.
    """
    return tf.function(function, input_signature=input_signature, autograph=False)
