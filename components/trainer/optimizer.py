"""The optimizer of both Trainers, from the settings."""

from typing import Any, Final

import keras

from imdb_core.settings import TrainingSettings

# Of an epoch's steps: with few steps a long average would still be full of initial weights.
_LONGEST_AVERAGE: Final = 1 / 3


def build_optimizer(training: TrainingSettings, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Makes Adam with its schedule, its weight decay and its average of the weights.

    The average counts the last n steps with a momentum of 1 - 1 / n. The momentum is `training.weight_average`, or
    less where that would count more than a third of an epoch.

    Args:
        training: settings.
        steps_per_epoch: batches an epoch.

    Returns:
        Adam, which takes weight decay as AdamW does.
    """
    rate: Any = training.learning_rate
    if training.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, decay_steps=training.epochs * steps_per_epoch)
    longest = max(1.0, steps_per_epoch * _LONGEST_AVERAGE)
    return keras.optimizers.Adam(
        rate,
        # None is none.
        weight_decay=training.weight_decay or None,
        use_ema=training.weight_average > 0,
        ema_momentum=min(training.weight_average, 1 - 1 / longest),
    )
