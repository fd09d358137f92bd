"""The order of the steps of a roll-out, observed by a simulated server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from released import MODEL, add_version, model_entry, served

from serving.releases import journal, model_config
from serving.releases.errors import ReleaseError
from serving.releases.operations import promote, rollback
from serving.releases.rollout import roll_out

pytestmark = pytest.mark.slow


class SimulatedServer:
    """Follows models.config as a real server does: it refuses the file if a label names a version not yet loaded.

    Args:
        models: The folder of all models.
        slow: The number of calls before a version is available.
        bad: Versions that it cannot load.
    """

    def __init__(self, models: Path, *, slow: int = 1, bad: tuple[int, ...] = ()) -> None:
        self.target = "simulated:8500"
        self.took: list[tuple[list[int], dict[str, int]]] = []
        self._models, self._slow, self._bad = models, slow, bad
        self._asked: dict[int, int] = {}
        self._labels: dict[str, int] = {}
        self._follow()

    def states(self) -> Mapping[int, str]:
        self._follow()
        return {
            version: "END: no such op" if version in self._bad else "AVAILABLE" if looks > self._slow else "LOADING"
            for version, looks in self._asked.items()
        }

    def version_of(self, label: str) -> int | None:
        self._follow()
        return self._labels.get(label)

    def _follow(self) -> None:
        model_config.ensure(self._models, MODEL)
        versions, labels = served(self._models)
        if not model_config.is_managed(model_entry(self._models)):
            versions = [3]
        available = {version for version, looks in self._asked.items() if looks > self._slow}
        if not set(labels.values()) <= available:
            return
        self._labels = labels
        self._asked = {version: self._asked.get(version, 0) + 1 for version in versions}
        if (versions, labels) not in self.took[-1:]:
            self.took.append((versions, labels))


def follow(*servers: SimulatedServer):
    return lambda configs: roll_out(configs, servers, timeout=3.0)


def test_a_version_is_loaded_before_it_gets_the_label(models: Path) -> None:
    server = SimulatedServer(models, slow=2)
    add_version(models, 4)
    promote(models, MODEL, "4", "stable", why="", roll_out=follow(server))
    assert server.took == [([3], {}), ([3, 4], {}), ([3, 4], {"stable": 4})]


def test_the_live_version_stays_until_the_label_has_moved(models: Path) -> None:
    server = SimulatedServer(models)
    promote(models, MODEL, "1", "stable", why="", roll_out=follow(server))
    assert server.took == [([3], {}), ([1, 3], {}), ([1], {"stable": 1})]
    promote(models, MODEL, "2", "stable", why="", roll_out=follow(server))
    assert server.took[3:] == [([1, 2], {"stable": 1}), ([1, 2], {"stable": 2})]


def test_a_roll_back_is_one_step(models: Path) -> None:
    server = SimulatedServer(models)
    for name in ("1", "2"):
        promote(models, MODEL, name, "stable", why="", roll_out=follow(server))
    before = len(server.took)
    rollback(models, MODEL, "stable", why="", roll_out=follow(server))
    # This also unloads the bad version, which requests without a label would get.
    assert server.took[before:] == [([1], {"stable": 1})]


def test_the_slowest_server_sets_the_pace(models: Path) -> None:
    quick, slow = SimulatedServer(models), SimulatedServer(models, slow=5)
    promote(models, MODEL, "1", "stable", why="", roll_out=follow(quick, slow))
    assert quick.took == slow.took == [([3], {}), ([1, 3], {}), ([1], {"stable": 1})]


def test_one_server_that_cannot_load_the_version_undoes_the_change_on_all(models: Path) -> None:
    good, bad = SimulatedServer(models), SimulatedServer(models, bad=(2,))
    before = (models / "models.config").read_text()
    with pytest.raises(ReleaseError, match="simulated:8500 cannot load version 2: no such op; the config is as it was"):
        promote(models, MODEL, "2", "stable", why="", roll_out=follow(good, bad))
    assert (models / "models.config").read_text() == before
    good.states()
    assert good.took == [([3], {}), ([2, 3], {}), ([3], {})]


def test_an_interrupted_wait_undoes_the_change(models: Path) -> None:
    class Interrupted(SimulatedServer):
        def states(self) -> Mapping[int, str]:
            if served(models)[0] == [2, 3]:
                raise KeyboardInterrupt
            return super().states()

    server = Interrupted(models)
    with pytest.raises(KeyboardInterrupt):
        promote(models, MODEL, "2", "stable", why="", roll_out=follow(server))
    assert not model_config.is_managed(model_entry(models))
    assert journal.read(models) == []
