"""The optimizer of both Trainers, the averages of the weights that it keeps, and their evaluation during training.

With `use_ema` Keras keeps an exponential moving average of every weight among the optimizer's variables, so that a
checkpoint of the optimizer includes it. Sources: Polyak and Juditsky 1992, "Acceleration of stochastic approximation
by averaging", and Tarvainen and Valpola 2017, "Mean teachers are better role models", for the exponential form.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from imdb_core.settings import TrainingSettings

# Share of an epoch's steps. With few steps a longer average would still be dominated by initial weights.
_LONGEST_AVERAGE: Final = 1 / 3


def build_optimizer(training: TrainingSettings, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Builds Adam with a schedule, decoupled weight decay as in AdamW, and an average of the weights.

    If Keras's dtype policy is float16, the loss is scaled so that small gradients do not vanish.

    A momentum of 1 - 1 / n averages about the last n steps. The momentum is `training.weight_average`, reduced where
    that would average more than a third of an epoch.
    """
    rate: Any = training.learning_rate
    if training.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, decay_steps=training.epochs * steps_per_epoch)
    longest = max(1.0, steps_per_epoch * _LONGEST_AVERAGE)
    adam = keras.optimizers.Adam(
        rate,
        # Keras expects None, not 0, for no weight decay.
        weight_decay=training.weight_decay or None,
        use_ema=training.weight_average > 0,
        ema_momentum=min(training.weight_average, 1 - 1 / longest),
    )
    is_half = keras.config.dtype_policy().compute_dtype == "float16"
    return keras.optimizers.LossScaleOptimizer(adam) if is_half else adam


def unwrapped(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Returns the optimizer that counts steps and keeps averages: with half precision it is inside another one."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def scaled_loss(optimizer: keras.optimizers.Optimizer, loss: tf.Tensor) -> tf.Tensor:
    """Scales a loss as the optimizer of half precision wants it; others leave it as it is."""
    return optimizer.scale_loss(loss)


def apply_gradients(
    optimizer: keras.optimizers.Optimizer,
    gradients: Sequence[tf.Tensor | tf.IndexedSlices],
    variables: Sequence[keras.Variable],
    clip_norm: float,
) -> None:
    """Updates variables in a replica, by the sum of the gradients of all replicas.

    Args:
        optimizer: A built optimizer. It adds up the gradients of the replicas itself.
        gradients: The replica's gradients of the result of `scaled_loss`.
        variables: The variables, in the same order.
        clip_norm: The largest global norm of the sum; 0 does not clip it. Keras's own clipping would apply to each
            replica's gradients by themselves, which is another training for every number of devices.
    """
    context = tf.distribute.get_replica_context()
    if clip_norm:
        dense = [tf.convert_to_tensor(gradient) for gradient in gradients]
        total = context.all_reduce(tf.distribute.ReduceOp.SUM, dense)
        scale = scaled_loss(optimizer, tf.constant(1.0))
        clipped, _ = tf.clip_by_global_norm(total, clip_norm * scale)
        # The optimizer adds them up once more.
        gradients = [gradient / context.num_replicas_in_sync for gradient in clipped]
    elif isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        # It looks for an overflow in the gradients of the first replica alone: one in any replica has to show there.
        overflow = tf.where(optimizer.check_finite(gradients), 0.0, math.nan)
        *others, last = gradients
        gradients = [*others, tf.convert_to_tensor(last) + context.all_reduce(tf.distribute.ReduceOp.SUM, overflow)]
    optimizer.apply(gradients, variables)


@contextmanager
def averaged_weights(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """Gives a model the averages of its weights for a while, and then the trained weights again.

    Keras's own `SwapEMAWeights` swaps by addition and subtraction, whose rounding changes both.
    """
    trained = values_of(model.variables)
    assign(values_of(averaged_variables(model, optimizer)), model.variables)
    try:
        yield
    finally:
        assign(trained, model.variables)


def averaged_variables(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """Lists `model.variables`, each replaced by its average if the built optimizer keeps one."""
    optimizer = unwrapped(optimizer)
    if not optimizer.use_ema:
        return list(model.variables)
    averages = {
        id(variable): average
        for variable, average in zip(model.trainable_variables, optimizer._model_variables_moving_average, strict=True)
    }
    return [averages.get(id(variable), variable) for variable in model.variables]


def values_of(variables: Sequence[keras.Variable]) -> list[npt.NDArray[Any]]:
    """Copies the values of variables."""
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def assign(values: Sequence[npt.NDArray[Any]], variables: Sequence[keras.Variable]) -> None:
    """Sets each variable to its value."""
    for value, variable in zip(values, variables, strict=True):
        variable.assign(value)
