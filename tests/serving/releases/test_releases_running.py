"""Releases in a running server under traffic."""

from __future__ import annotations

import functools
import itertools
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner
from released import served
from running_server import RunningServer, running_server

from serving.client import Client, ClientError, ServerUnavailableError
from serving.releases import journal, model_config, running
from serving.releases.cli import models_group
from serving.releases.errors import ReleaseError
from serving.releases.operations import promote, rollback
from serving.releases.rollout import roll_out
from serving.releases.versions import RELEASE_FILE, Release, digest

# Polls more often than `imdb-attention serve`, to shorten the tests.
_FLAGS = (
    "--model_config_file_poll_wait_seconds=0.25",
    "--file_system_poll_wait_seconds=0.25",
    "--max_num_load_retries=0",
)
_names = (f"critic_{number}" for number in itertools.count())


def push(saved_model: Path, base: Path, number: int) -> None:
    """Adds a version as the Pusher does: it becomes visible when it is complete."""
    partial = base / f".pushing-{number}"
    shutil.copytree(saved_model, partial)
    release = Release(source=str(saved_model), sha256=digest(saved_model), pushed_at=number)
    (partial / RELEASE_FILE).parent.mkdir(exist_ok=True)
    (partial / RELEASE_FILE).write_text(release.model_dump_json())
    partial.rename(base / str(number))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workspace") / "models"


@pytest.fixture(scope="module")
def server(models: Path, half_plus_two: Path) -> Iterator[RunningServer]:
    """A server that follows models.config and serves one model that no test changes."""
    (models / "imdb_attention").mkdir(parents=True)
    push(half_plus_two, models / "imdb_attention", 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMDB_WORKSPACE", str(models.parent))
        with running_server(*_FLAGS) as started:
            yield started


@pytest.fixture
def model(models: Path, half_plus_two: Path, half_plus_three: Path, server: RunningServer) -> str:
    """A new model for each test, without promotions; versions 1 and 3 are equal, 2 differs."""
    name = next(_names)
    (models / name).mkdir()
    for number, saved_model in ((1, half_plus_two), (2, half_plus_three), (3, half_plus_two)):
        push(saved_model, models / name, number)
    return name


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition is still false"
        time.sleep(0.02)


@dataclass
class Traffic:
    """The versions that answered each client, and all errors."""

    answers: list[list[int | None]] = field(default_factory=lambda: [[] for _ in range(4)])
    errors: list[str] = field(default_factory=list)

    @property
    def versions(self) -> list[list[int | None]]:
        """For each client, the versions in the order of their answers, without repetitions."""
        return [[version for version, _ in itertools.groupby(answers)] for answers in self.answers]

    def await_answers(self) -> None:
        """Waits until each client has some more answers."""
        counts = [len(answers) for answers in self.answers]
        until(
            lambda: (
                bool(self.errors)
                or all(len(answers) > count + 5 for answers, count in zip(self.answers, counts, strict=True))
            )
        )


@contextmanager
def traffic(target: str, model: str, label: str) -> Iterator[Traffic]:
    """Runs clients that send requests without pauses and retries."""
    stop, seen = threading.Event(), Traffic()

    def ask(answers: list[int | None]) -> None:
        with Client(target, model, label=label, retries=0) as client:
            while not stop.is_set():
                try:
                    (prediction,) = client.predict(["a text of some length"])
                    answers.append(prediction.model_version)
                except ClientError as error:
                    seen.errors.append(str(error))

    clients = [threading.Thread(target=ask, args=(answers,)) for answers in seen.answers]
    for client in clients:
        client.start()
    try:
        seen.await_answers()
        yield seen
        seen.await_answers()
    finally:
        stop.set()
        for client in clients:
            client.join()


def following(server: RunningServer, model: str, timeout: float = 20.0) -> Callable[..., None]:
    return functools.partial(roll_out, servers=[running.RunningServer(server.target, model)], timeout=timeout)


def states(server: RunningServer, model: str) -> dict[int, str]:
    return dict(running.RunningServer(server.target, model).states())


def version_of(server: RunningServer, model: str, label: str) -> int | None:
    return running.RunningServer(server.target, model).version_of(label)


def test_promotions_and_roll_backs_fail_no_request(models: Path, model: str, server: RunningServer) -> None:
    follow = following(server, model)
    promote(models, model, "1", "stable", why="", roll_out=follow)
    with traffic(server.target, model, "stable") as seen:
        for number in ("2", "3"):
            promote(models, model, number, "stable", why="", roll_out=follow)
            seen.await_answers()
        for _ in range(2):
            # `rollback` returns when the server follows.
            rollback(models, model, "stable", why="", roll_out=following(server, model, timeout=5.0))
            seen.await_answers()
    assert seen.errors == []
    assert seen.versions == [[1, 2, 3, 2, 1]] * 4
    # The bad version is unloaded, or requests without a label would still get it.
    until(lambda: [number for number, state in states(server, model).items() if state == "AVAILABLE"] == [1])
    assert served(models, model) == ([1], {"stable": 1})


def test_a_push_that_went_live_by_itself_can_be_rolled_back(models: Path, model: str, server: RunningServer) -> None:
    config = model_config.read(models)
    model_config.entry(config, models, model)
    model_config.write(models, config)
    until(lambda: states(server, model).get(3) == "AVAILABLE")
    rollback(models, model, "stable", why="", roll_out=following(server, model))
    assert version_of(server, model, "stable") == 2
    until(lambda: states(server, model).get(3) == "END")


def test_a_canary_is_served_beside_the_stable_version(models: Path, model: str, server: RunningServer) -> None:
    follow = following(server, model)
    promote(models, model, "1", "stable", why="", roll_out=follow)
    with traffic(server.target, model, "stable") as stable:
        promote(models, model, "2", "canary", why="", roll_out=follow)
        with traffic(server.target, model, "canary") as canary:
            pass
        assert version_of(server, model, "canary") == 2
        promote(models, model, "canary", "stable", why="", roll_out=follow)
        assert version_of(server, model, "canary") is None
    assert (stable.errors, canary.errors) == ([], [])
    assert (stable.versions, canary.versions) == ([[1, 2]] * 4, [[2]] * 4)


def test_a_version_that_cannot_be_loaded_changes_nothing(
    models: Path, model: str, server: RunningServer, broken: Path
) -> None:
    follow = following(server, model)
    promote(models, model, "1", "stable", why="", roll_out=follow)
    push(broken, models / model, 9)
    before, entries = (models / "models.config").read_text(), journal.read(models, model)
    with traffic(server.target, model, "stable") as seen:
        # Twice: an error that the server remembers from the first attempt does not count for the second.
        for _ in range(2):
            with pytest.raises(ReleaseError, match=r"cannot load version 9: .*; the config is as it was"):
                promote(models, model, "9", "stable", why="", roll_out=following(server, model, timeout=5.0))
    assert (seen.errors, seen.versions) == ([], [[1]] * 4)
    assert (models / "models.config").read_text() == before
    assert journal.read(models, model) == entries


def test_a_server_of_another_workspace_is_an_error(
    models: Path, model: str, server: RunningServer, half_plus_two: Path, tmp_path: Path
) -> None:
    for number in ("1", "2"):
        promote(models, model, number, "stable", why="", roll_out=following(server, model))
    # The same model, but in another workspace.
    (tmp_path / model).mkdir()
    push(half_plus_two, tmp_path / model, 1)
    push(half_plus_two, tmp_path / model, 7)
    impatient = following(server, model, timeout=0.5)
    with pytest.raises(ReleaseError, match=r"does not serve what it should: version 7 is unknown; .*--offline"):
        promote(tmp_path, model, "7", "stable", why="", roll_out=impatient)
    assert not model_config.is_managed(model_config.entry(model_config.read(tmp_path), tmp_path, model))
    # The server has a version 1 too, so only the label shows the mistake.
    with pytest.raises(ReleaseError, match=r"is written, but after 0\.5 s .* does not follow it: there stable is 2"):
        promote(tmp_path, model, "1", "stable", why="", roll_out=impatient)
    assert served(tmp_path, model) == ([1], {"stable": 1})
    assert len(journal.read(tmp_path, model)) == 1


def test_connect_finds_servers(model: str, server: RunningServer, free_target: str) -> None:
    # A server that the user names has to answer; the default one need not.
    assert running.connect([], free_target, model) == []
    assert [one.target for one in running.connect([], server.target, "imdb_attention")] == [server.target]
    assert running.connect([], server.target, "no_such_model") == []
    assert [one.target for one in running.connect([server.target], free_target, "no_such_model")] == [server.target]
    with pytest.raises(ServerUnavailableError, match=free_target):
        running.connect([server.target, free_target], server.target, "imdb_attention")


# Commands


def call(models: Path, *arguments: str) -> str:
    result = CliRunner(env={"IMDB_WORKSPACE": str(models.parent)}).invoke(
        models_group, arguments, catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


def test_commands_print_which_servers_followed(models: Path, model: str, server: RunningServer) -> None:
    assert call(models, "promote", "2", "--model", model, "--server", server.target).splitlines() == [
        "stable: 3 -> 2",
        f"Followed by {server.target}.",
    ]
    assert call(models, "rollback", "--model", model, "--server", server.target).startswith("stable: 2 -> 3\n")


def test_two_versions_are_compared_by_live_requests(
    models: Path, model: str, server: RunningServer, tmp_path: Path
) -> None:
    place = ("--model", model, "--server", server.target)
    call(models, "promote", "1", *place)
    call(models, "promote", "2", "--label", "canary", *place)
    # Version 1 calls texts positive that are longer than 16 bytes, version 2 those longer than 14.
    rows = [{"text": "x" * length, "label": "pos" if length > 15 else "neg"} for length in (5, 14, 15, 16, 17, 30)]
    file = tmp_path / "reviews.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    outcome = json.loads(call(models, "compare", "stable", "2", "--input", str(file), *place, "--json"))
    assert (outcome["reviews"], outcome["agreement"]) == (6, pytest.approx(4 / 6))
    assert {flip["text"] for flip in outcome["flips"]} == {"x" * 15, "x" * 16}
    first, second = outcome["sides"]
    assert (first["name"], first["versions"], first["accuracy"]) == ("stable", [1], pytest.approx(5 / 6))
    assert (second["name"], second["versions"], second["accuracy"]) == ("2", [2], pytest.approx(5 / 6))
    assert 0 < first["latency_ms"]["p50"] <= first["latency_ms"]["p99"]

    text = call(models, "compare", "1", "canary", "--input", str(file), "--limit", "3", *place)
    assert "Agreement: 2 of 3 reviews (66.7%)" in text
    assert "negative 0.378 -> positive 0.622, labelled negative: xxxxxxxxxxxxxxx" in text
