"""The optimizer of both Trainers."""

from typing import Any, Final

import keras

from imdb_core.settings import TrainingSettings

# Share of an epoch's steps. With few steps a longer average would still be dominated by initial weights.
_LONGEST_AVERAGE: Final = 1 / 3


def build_optimizer(training: TrainingSettings, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Builds Adam with a schedule, weight decay and an average of the weights.

    A momentum of 1 - 1 / n averages about the last n steps. The momentum is `training.weight_average`, reduced where
    that would average more than a third of an epoch.

    Args:
        training: Settings of the training.
        steps_per_epoch: Number of batches per epoch.

    Returns:
        Adam, with decoupled weight decay as in AdamW.
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
