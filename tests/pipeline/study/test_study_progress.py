import logging

import pytest

from imdb_core.progress import PROGRESS_LOGGER
from pipeline.running.monitor import NodeUsage
from pipeline.study.progress import StudyProgress, duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "0 s"), (89.4, "89 s"), (90.0, "2 min"), (725.0, "12 min"), (3600.0, "1 h 0 min"), (7500.0, "2 h 5 min")],
)
def test_durations_are_formatted_for_people(seconds, words):
    assert duration(seconds) == words


def test_the_remaining_time_is_estimated_from_executed_trainings(caplog):
    clock = iter([140.0, 140.0, 160.0, 160.0, 190.0, 190.0])
    told = StudyProgress("blog", ["a", "b", "c", "d"], now=lambda: next(clock))
    with caplog.at_level(logging.INFO, PROGRESS_LOGGER):
        for usage in (
            NodeUsage("Transform", 500.0),
            NodeUsage("a", 1.0, cached=True),
            NodeUsage("b", 40.0),  # since 100
            NodeUsage("c", 20.0),
            NodeUsage("Predictions.seed1", 500.0),
            NodeUsage("d", 30.0),
        ):
            told(usage)
    assert caplog.messages == [
        "2 of 4 trainings of preset blog done, about 80 s left",
        "3 of 4 trainings of preset blog done, about 30 s left",
        "4 of 4 trainings of preset blog done",
    ]


def test_trainings_side_by_side_take_less_time_together(caplog):
    clock = iter([140.0, 140.0, 141.0, 141.0])
    told = StudyProgress("blog", ["a", "b", "c", "d"], now=lambda: next(clock))
    with caplog.at_level(logging.INFO, PROGRESS_LOGGER):
        told(NodeUsage("a", 40.0))
        told(NodeUsage("b", 41.0))
    assert caplog.messages[-1] == "2 of 4 trainings of preset blog done, about 41 s left"
