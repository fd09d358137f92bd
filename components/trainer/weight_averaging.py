"""Averaged weights, and the evaluation of a network with them during training.

Keras computes the average: with `use_ema` an optimizer keeps an exponential moving average of every weight among its
own variables, so that a checkpoint of the optimizer includes it. Sources: Polyak and Juditsky 1992, "Acceleration of
stochastic approximation by averaging", and Tarvainen and Valpola 2017, "Mean teachers are better role models", for the
exponential form.
"""

from collections.abc import Mapping
from typing import Any

import keras


class EvaluateAveragedWeights(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Evaluates the averaged weights during `fit`, and restores the trained weights afterwards.

    Keras's own `SwapEMAWeights` swaps by addition and subtraction, whose rounding changes both.
    """

    def __init__(self) -> None:
        super().__init__()
        self._trained: list[Any] = []

    def on_test_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Assigns the averages to the model's variables."""
        self._trained = [keras.ops.convert_to_numpy(variable).copy() for variable in self.model.variables]
        for variable, averaged in zip(self.model.variables, averaged_variables(self.model), strict=True):
            if variable is not averaged:
                variable.assign(averaged)

    def on_test_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Restores the trained weights."""
        for variable, value in zip(self.model.variables, self._trained, strict=True):
            variable.assign(value)
        self._trained = []


def averaged_variables(model: keras.Model) -> list[keras.Variable]:
    """Lists a model's variables, each replaced by its average if it has one.

    Args:
        model: A compiled model whose optimizer is built.

    Returns:
        One variable for each of `model.variables`, in the same order.
    """
    # With half precision a loss-scaling optimizer wraps the one that averages.
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if not optimizer.use_ema:
        return list(model.variables)
    averages = {
        id(variable): average
        for variable, average in zip(
            model.trainable_variables,
            optimizer._model_variables_moving_average,
            strict=True,
        )
    }
    return [averages.get(id(variable), variable) for variable in model.variables]
