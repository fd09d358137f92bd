import numpy as np
import tensorflow as tf

from components.graph_functions import graph_function


def test_a_function_is_traced_once_for_its_signature():
    traced = []

    def double(values):
        traced.append(values)
        return 2 * values

    function = graph_function(double, [tf.TensorSpec([None], tf.float32)])
    np.testing.assert_array_equal(function(tf.constant([1.0, 2.0])), [2.0, 4.0])
    np.testing.assert_array_equal(function(tf.constant([3.0])), [6.0])
    assert len(traced) == 1
    assert isinstance(traced[0], tf.Tensor)


def test_python_s_if_is_python_s():
    function = graph_function(lambda flag: 1 if flag is not None else 0)
    assert int(function(tf.constant(False))) == 1
