"""The search for hyperparameters: KerasTuner's random search, starting with the current values."""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras_tuner
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.errors import FailedTrialError, FatalError
from pydantic import ValidationError

from components.trainer.fitting import OBJECTIVE
from components.trainer.loop import Score
from imdb_core import progress
from imdb_core.errors import RunError
from imdb_core.hyperparameters import in_short

_progress = logging.getLogger(progress.PROGRESS_LOGGER)


def search_space(candidates: Mapping[str, Sequence[Any]], current: Mapping[str, Any]) -> keras_tuner.HyperParameters:
    """Builds KerasTuner's search space from candidate values by `section.key`; current values become the defaults."""
    space = keras_tuner.HyperParameters()
    for key, values in candidates.items():
        if isinstance(values[0], bool):  # `Choice` would convert them to integers
            space.Boolean(key, default=current[key])
        else:
            space.Choice(key, values=values, default=current[key])
    return space


class CurrentFirstOracle(keras_tuner.oracles.RandomSearchOracle):  # type: ignore[misc]  # KerasTuner ships no types
    """Random search whose first trial has the default values; KerasTuner's own search may never try them."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Chooses the values of the next trial; see KerasTuner."""
        current = {hp.name: hp.default for hp in self.hyperparameters.space}
        return super().populate_space(trial_id) if self.trials else {"status": TrialStatus.RUNNING, "values": current}


class SettingsTuner(BaseTuner):  # type: ignore[misc]  # KerasTuner ships no types
    """Searches for the settings that a function scores best.

    A trial whose training diverges fails, and the search continues; any other error ends the search.

    Args:
        score: Function from `section.key` → value to a score; a smaller `log_loss` is better. The same values must
            always give the same score, because an interrupted search is repeated: KerasTuner does not save its state
            atomically, so it cannot resume safely.
        space: The search space from `search_space`.
        trials: Maximum number of trials; a small space has fewer.
        seed: Seed of the random choices.
        directory: Folder for KerasTuner's own records, cleared at the start.
        on_end: Function to call when the search has succeeded.
    """

    def __init__(
        self,
        score: Callable[[Mapping[str, Any]], Score],
        space: keras_tuner.HyperParameters,
        *,
        trials: int,
        seed: int,
        directory: str,
        on_end: Callable[[], None],
    ) -> None:
        oracle = CurrentFirstOracle(
            objective=keras_tuner.Objective(OBJECTIVE, "min"),
            max_trials=trials,
            hyperparameters=space,
            seed=seed + 1,  # KerasTuner treats 0 as no seed
            max_consecutive_failed_trials=trials + 1,
        )
        oracle.verbose = 0
        super().__init__(oracle, directory=directory, project_name="search", overwrite=True)
        self._score = score
        self._on_end = on_end
        self._trials = min(trials, math.prod(len(list(hp.values)) for hp in space.space))
        self._current: Mapping[str, Any] = space.values
        self._best = math.inf

    def run_trial(self, trial: Trial) -> dict[str, float]:
        """Scores the values of a trial, and logs one line.

        Raises:
            FailedTrialError: Training diverged, or the settings contradict each other.
            FatalError: Any other error, which is its cause.
        """
        values = trial.hyperparameters.values
        name = f"Tuner trial {int(trial.trial_id) + 1}/{self._trials}"
        changed = {key: value for key, value in values.items() if value != self._current[key]}
        shown = "  ".join(f"{key.partition('.')[2]} {in_short(value)}" for key, value in changed.items())
        started = time.monotonic()
        try:
            score = self._score(values)
        except (RunError, ValidationError) as error:
            _progress.info("%s  failed: %s  %s", name, str(error).splitlines()[0], shown)
            raise FailedTrialError(str(error)) from error
        except Exception as error:
            raise FatalError(str(error)) from error
        self._best = min(self._best, score.log_loss)
        _progress.info(
            f"{name}  eval loss {score.log_loss:.4f}  eval accuracy {score.accuracy:.4f}  "
            f"best so far {self._best:.4f}  {shown or 'the current settings'}  {time.monotonic() - started:.0f} s"
        )
        return {OBJECTIVE: score.log_loss, "val_accuracy": score.accuracy}

    def on_search_end(self) -> None:
        """Raises RunError if all trials failed."""
        trials = list(self.oracle.trials.values())
        if not any(trial.status == TrialStatus.COMPLETED for trial in trials):
            raise RunError(
                f"all {len(trials)} trials of the Tuner have failed, each for the reason logged above; lower "
                "training.learning_rate, or remove values from tuning.space"
            )
        self._on_end()
