"""Brings a new `models.config` to running servers without a failed request.

Servers apply labels before they load models, and refuse the whole config if a label names a version that is not loaded.
So the new versions come first, under the old labels; the labels move when those versions are available.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol, TypeVar

from tensorflow_serving.config.model_server_config_pb2 import ModelConfig, ModelServerConfig

from serving.releases import model_config
from serving.releases.errors import ReleaseError
from serving.releases.operations import Configs
from serving.releases.versions import read_versions

AVAILABLE: Final = "AVAILABLE"

_FAILED: Final = "END: "
_POLL_SECONDS: Final = 0.1
_AS_BEFORE: Final = "the config is as it was, and what was live still is"
_Left = TypeVar("_Left", dict[int, str], dict[str, int | None])


class ReleaseServer(Protocol):
    """A running server that follows `models.config`, and its address."""

    target: str

    def states(self) -> Mapping[int, str]:
        """Returns the state of each version: `AVAILABLE`, `LOADING` and so on, or `END: why` if it cannot be loaded.

        The result is empty if the server does not answer or does not have the model.
        """

    def version_of(self, label: str) -> int | None:
        """Returns the version that has a label, or None."""


def roll_out(configs: Configs, servers: Sequence[ReleaseServer], timeout: float) -> None:
    """Writes a config and waits until the servers follow it. Without servers, the next one to start follows it.

    The servers have `timeout` seconds to load the versions, and again to follow the labels.

    Raises:
        ReleaseError: A server does not load a version; then the old config is restored. Or a server does not follow the
            labels; then the new config stays, because the server has loaded all versions that it needs.
    """
    models, before, after = configs.models, _entry(configs.before, configs), _entry(configs.after, configs)
    needed = set(after.version_labels.values())
    known = {server.target: server.states() for server in servers}
    if any(states.get(version) != AVAILABLE for states in known.values() for version in needed):
        try:
            model_config.write(models, _with_both(configs))
            for server in servers:
                _await_versions(server, needed, known[server.target], models, timeout)
        except BaseException:  # Ctrl-C too
            model_config.write(models, configs.before)
            raise
    model_config.write(models, configs.after)
    ended = dict.fromkeys(before.version_labels)
    for server in servers:
        _await_labels(server, {**ended, **after.version_labels}, models, timeout)


def _entry(config: ModelServerConfig, configs: Configs) -> ModelConfig:
    return model_config.entry(config, configs.models, configs.model)


def _with_both(configs: Configs) -> ModelServerConfig:
    """Returns a config that loads both the old and the new versions, under the old labels."""
    config = ModelServerConfig()
    config.CopyFrom(configs.before)
    entry = _entry(config, configs)
    now = model_config.loaded(entry, read_versions(configs.models / configs.model))
    new = _entry(configs.after, configs).model_version_policy.specific.versions
    model_config.choose(entry, {*now, *new}, dict(entry.version_labels))
    return config


def _await_versions(
    server: ReleaseServer, needed: set[int], known: Mapping[int, str], models: Path, timeout: float
) -> None:
    tried = set()

    def missing() -> dict[int, str]:
        states = server.states()
        left = {version: states.get(version, "unknown") for version in needed if states.get(version) != AVAILABLE}
        for version, state in left.items():
            if state != known.get(version):
                tried.add(version)
            # An error that the server remembers from an earlier attempt does not count.
            if version in tried and state.startswith(_FAILED):
                raise _not_loaded(server, version, state)
        return left

    left = _wait_until_empty(missing, timeout)
    for version, state in left.items():
        if state.startswith(_FAILED):
            raise _not_loaded(server, version, state)
    if left:
        states = ", ".join(f"version {version} is {state}" for version, state in sorted(left.items()))
        raise ReleaseError(
            f"after {timeout:g} s {server.target} does not serve what it should: {states}; {_AS_BEFORE}. "
            f"{_what_to_do(models)}"
        )


def _not_loaded(server: ReleaseServer, version: int, state: str) -> ReleaseError:
    return ReleaseError(f"{server.target} cannot load version {version}: {state.removeprefix(_FAILED)}; {_AS_BEFORE}")


def _await_labels(server: ReleaseServer, labels: Mapping[str, int | None], models: Path, timeout: float) -> None:
    def wrong() -> dict[str, int | None]:
        answers = {label: server.version_of(label) for label in labels}
        return {label: version for label, version in answers.items() if version != labels[label]}

    left = _wait_until_empty(wrong, timeout)
    if left:
        answers = ", ".join(
            f"{label} is {'unknown' if version is None else version}" for label, version in sorted(left.items())
        )
        raise ReleaseError(
            f"{models / model_config.CONFIG_FILE} is written, but after {timeout:g} s {server.target} does not follow "
            f"it: there {answers}. {_what_to_do(models)}"
        )


def _wait_until_empty(look: Callable[[], _Left], timeout: float) -> _Left:
    deadline = time.monotonic() + timeout
    while (left := look()) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return left


def _what_to_do(models: Path) -> str:
    return (
        f"See its log, and check that it was started with --model_config_file={models / model_config.CONFIG_FILE} and "
        "--model_config_file_poll_wait_seconds=1. If it does not serve these models, give --offline"
    )
