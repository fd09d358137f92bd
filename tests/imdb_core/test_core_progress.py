import logging
import pickle

from imdb_core.progress import EVENT, PROGRESS_LOGGER, Steps, shown, tell


def test_a_record_carries_its_event_and_is_logged_only_with_a_message(caplog):
    caplog.set_level(logging.DEBUG, PROGRESS_LOGGER)
    steps = Steps(1, 2, "reviews", "epoch 1/2", {"loss": 0.5})
    tell(steps)
    tell(steps, "half of it, 100 %d")
    quiet, loud = caplog.records
    assert (quiet.levelno, loud.levelno) == (logging.DEBUG, logging.INFO)
    assert getattr(quiet, EVENT) == getattr(loud, EVENT) == steps
    assert loud.getMessage() == "half of it, 100 %d"
    # A Trainer on a GPU reports from another process.
    assert pickle.loads(pickle.dumps(steps)) == steps  # noqa: S301 - its own


def test_metrics_have_four_decimals():
    assert shown({"loss": 0.25, "eval accuracy": 1}) == "loss 0.2500  eval accuracy 1.0000"
