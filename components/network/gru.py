"""A GRU layer that is fast on a CPU too."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="imdb_attention")
class GRU(keras.layers.GRU):  # type: ignore[misc]  # Keras ships no types
    """Keras's GRU, with less work at each time step where cuDNN does not run it.

    It has the same weights, and the same outputs and gradients within the precision of float32. The input is multiplied
    by the kernel for all time steps at once, and so are the gradients of both kernels; Keras does that step by step.
    Only the product with the last state stays in the loop.

    It does so for Keras's default activations and `reset_after`, without dropout and masks. In all other cases, and on
    a GPU unless `use_cudnn` is False, Keras's own code runs. Source of the formulas: Cho et al. 2014, "Learning phrase
    representations using RNN encoder-decoder", with the reset gate applied after the product, as in cuDNN.

    Call arguments and results are those of `keras.layers.GRU`.
    """

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """Runs all time steps; see `keras.layers.RNN`."""
        if mask is not None or not self._is_supported() or self._runs_on_cudnn():
            return super().inner_loop(sequences, initial_state, mask=mask, training=training)
        (state,) = keras.tree.flatten(initial_state)
        cell = self.cell
        input_bias, recurrent_bias = tf.unstack(tf.convert_to_tensor(cell.bias), axis=0)
        kernel, recurrent = (tf.convert_to_tensor(weights) for weights in (cell.kernel, cell.recurrent_kernel))
        # [time, batch, 3 * units]
        projected = tf.transpose(tf.matmul(sequences, kernel) + input_bias, [1, 0, 2])
        run = _with_fast_gradient if training else _states
        states = run(projected, recurrent, recurrent_bias, state)
        last = states[-1]
        # The loop does not know how many steps there are, even where the shape of the input says it.
        return last, tf.ensure_shape(tf.transpose(states, [1, 0, 2]), [*sequences.shape[:2], self.units]), [last]

    def _is_supported(self) -> bool:
        return (
            self.cell.activation is keras.activations.tanh
            and self.cell.recurrent_activation is keras.activations.sigmoid
            and self.cell.reset_after
            and self.cell.use_bias
            and not (self.dropout or self.recurrent_dropout or self.unroll or self.go_backwards)
            and self.return_sequences
        )

    def _runs_on_cudnn(self) -> bool:
        return self.use_cudnn is not False and bool(tf.config.list_logical_devices("GPU"))


def _step(projected: tf.Tensor, state: tf.Tensor, recurrent: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Computes a step; returns the update gate, the reset gate, the candidate, its recurrent part and the new state."""
    parts = [2 * state.shape[-1], state.shape[-1]]
    of_gates, of_candidate = tf.split(projected, parts, axis=1)
    gates, inner = tf.split(tf.matmul(state, recurrent) + bias, parts, axis=1)
    update, reset = tf.split(tf.sigmoid(of_gates + gates), 2, axis=1)
    candidate = tf.tanh(of_candidate + reset * inner)
    return update, reset, candidate, inner, candidate + update * (state - candidate)


def _states(projected: tf.Tensor, recurrent: tf.Tensor, bias: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
    """Returns the state after each step, `[time, batch, units]`."""

    def body(time: tf.Tensor, state: tf.Tensor, states: tf.TensorArray) -> tuple[Any, ...]:
        *_, state = _step(tf.gather(projected, time), state, recurrent, bias)
        return time + 1, state, states.write(time, state)

    return _loop(projected, body, state, 1)[0]


@tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow ships no types
def _with_fast_gradient(
    projected: tf.Tensor, recurrent: tf.Tensor, bias: tf.Tensor, state: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, ...]]]:
    """Returns what `_states` returns, and its gradient, which uses the kernel's once for all steps."""

    def body(time: tf.Tensor, state: tf.Tensor, *written: tf.TensorArray) -> tuple[Any, ...]:
        values = _step(tf.gather(projected, time), state, recurrent, bias)
        return time + 1, values[-1], *(array.write(time, value) for array, value in zip(written, values, strict=True))

    updates, resets, candidates, inners, states = _loop(projected, body, state, 5)
    before = tf.concat([state[tf.newaxis], states[:-1]], axis=0)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
        # What does not depend on the gradient of the next step, for all steps at once.
        of_update = (before - candidates) * updates * (1 - updates)
        of_candidate = (1 - updates) * (1 - tf.square(candidates))
        of_reset = of_candidate * inners * resets * (1 - resets)
        # The gradient of a step's `product`, as multiples of that of its new state.
        factors = tf.stack([of_update, of_reset, of_candidate * resets], axis=2)  # [time, batch, 3, units]
        transposed = tf.transpose(recurrent)
        last = tf.shape(projected)[0] - 1
        units = state.shape[-1]

        def backward(step: tf.Tensor, of_state: tf.Tensor, written: tf.TensorArray) -> tuple[Any, ...]:
            time = last - step
            of_state += tf.gather(upstream, time)
            written = written.write(time, of_state)
            of_product = tf.reshape(tf.gather(factors, time) * of_state[:, tf.newaxis], [-1, 3 * units])
            return step + 1, of_state * tf.gather(updates, time) + tf.matmul(of_product, transposed), written

        (of_states,), of_first = _loop_with_state(projected, backward, tf.zeros_like(state), 1)
        of_products = tf.reshape(factors * of_states[:, :, tf.newaxis], [-1, 3 * units])
        of_projected = tf.concat([of_update * of_states, of_reset * of_states, of_candidate * of_states], axis=2)
        of_recurrent = tf.matmul(tf.reshape(before, [-1, units]), of_products, transpose_a=True)
        return of_projected, of_recurrent, tf.reduce_sum(of_products, axis=0), of_first

    return states, gradient


def _loop(projected: tf.Tensor, body: Callable[..., tuple[Any, ...]], state: tf.Tensor, arrays: int) -> list[tf.Tensor]:
    return _loop_with_state(projected, body, state, arrays)[0]


def _loop_with_state(
    projected: tf.Tensor, body: Callable[..., tuple[Any, ...]], state: tf.Tensor, arrays: int
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Runs `body(time, state, *arrays)` for each step; returns the stacked arrays and the last state.

    With few rows, a step's time is that of starting its operations, not of arithmetic: `tf.gather` is one of them, an
    index is four, and a maximum number of iterations would be seven more.
    """
    steps = tf.shape(projected)[0]
    written = [tf.TensorArray(state.dtype, steps, element_shape=state.shape) for _ in range(arrays)]
    _, state, *written = tf.while_loop(lambda time, *_: time < steps, body, (tf.constant(0), state, *written))
    return [array.stack() for array in written], state
