"""The optimizer of both Trainers, the averages of the weights that it keeps, and their evaluation during training.

With `use_ema` Keras keeps an exponential moving average of every weight among the optimizer's variables, so that a
checkpoint of the optimizer includes it. Sources: Polyak and Juditsky 1992, "Acceleration of stochastic approximation
by averaging", and Tarvainen and Valpola 2017, "Mean teachers are better role models", for the exponential form.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt

from imdb_core.settings import TrainingSettings

# Share of an epoch's steps. With few steps a longer average would still be dominated by initial weights.
_LONGEST_AVERAGE: Final = 1 / 3


def build_optimizer(training: TrainingSettings, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Builds Adam with a schedule, decoupled weight decay as in AdamW, and an average of the weights.

    A momentum of 1 - 1 / n averages about the last n steps. The momentum is `training.weight_average`, reduced where
    that would average more than a third of an epoch.
    """
    rate: Any = training.learning_rate
    if training.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, decay_steps=training.epochs * steps_per_epoch)
    longest = max(1.0, steps_per_epoch * _LONGEST_AVERAGE)
    return keras.optimizers.Adam(
        rate,
        # Keras expects None, not 0, for no weight decay.
        weight_decay=training.weight_decay or None,
        use_ema=training.weight_average > 0,
        ema_momentum=min(training.weight_average, 1 - 1 / longest),
    )


class EvaluateAveragedWeights(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Evaluates the averaged weights during `fit`, and restores the trained weights afterwards.

    Keras's own `SwapEMAWeights` swaps by addition and subtraction, whose rounding changes both.
    """

    def on_test_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Assigns the averages to the model's variables."""
        self._trained = values_of(self.model.variables)
        for variable, averaged in zip(self.model.variables, averaged_variables(self.model), strict=True):
            if variable is not averaged:
                variable.assign(averaged)

    def on_test_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Restores the trained weights."""
        assign(self._trained, self.model.variables)
        self._trained = []


def averaged_variables(model: keras.Model) -> list[keras.Variable]:
    """Lists `model.variables`, each replaced by its average if it has one; the model's optimizer must be built."""
    # With half precision a loss-scaling optimizer wraps the one that averages.
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
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
