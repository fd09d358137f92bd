"""Averaged weights: which they are, and how a network is judged by them while it trains on.

The average itself is Keras's: with `use_ema` an optimizer keeps an exponential moving average of every weight among its
own variables, so that whoever saves those saves it too. Source: Polyak and Juditsky 1992, "Acceleration of stochastic
approximation by averaging", and Tarvainen and Valpola 2017, "Mean teachers are better role models", for the exponential
form.
"""

from collections.abc import Mapping
from typing import Any

import keras


class EvaluateAveragedWeights(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Evaluates the averaged weights during `fit`, and goes on training those that it would have trained.

    Keras's own `SwapEMAWeights` swaps by adding and subtracting, which changes both by rounding.
    """

    def __init__(self) -> None:
        super().__init__()
        self._trained: list[Any] = []

    def on_test_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Puts the averages in place."""
        self._trained = [keras.ops.convert_to_numpy(variable).copy() for variable in self.model.variables]
        for variable, averaged in zip(self.model.variables, averaged_variables(self.model), strict=True):
            if variable is not averaged:
                variable.assign(averaged)

    def on_test_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Puts back what is trained."""
        for variable, value in zip(self.model.variables, self._trained, strict=True):
            variable.assign(value)
        self._trained = []


def averaged_variables(model: keras.Model) -> list[keras.Variable]:
    """Lists the variables of a model with the averages in place of what is averaged.

    Args:
        model: compiled, its optimizer built.

    Returns:
        As many as `model.variables`, in their order; the very same ones where the optimizer averages nothing.
    """
    # Half precision wraps the optimizer that averages.
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
