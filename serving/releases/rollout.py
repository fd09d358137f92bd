"""Brings a new `models.config` to servers that run, in steps of which none lets a request fail.

Servers apply labels before they load models, and refuse the whole config if a label names a version that is not loaded.
So new versions come first, under the old labels, and the labels move when they are available.
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
_LOOK_EVERY: Final = 0.1
_AS_BEFORE: Final = "the config is as it was, and what was live still is"
_Left = TypeVar("_Left", dict[int, str], dict[str, int | None])


class Server(Protocol):
    """A server that runs, as far as a roll-out needs to know it.

    Attributes:
        target: its address.
    """

    target: str

    def states(self) -> Mapping[int, str]:
        """State of each version that the server knows: `AVAILABLE`, `LOADING`, ...; `END: why` if it cannot load it.

        Nothing at all if the server does not answer, or does not know the model.
        """

    def version_of(self, label: str) -> int | None:
        """The version that answers to a label, if any does."""


def roll_out(configs: Configs, servers: Sequence[Server], timeout: float) -> None:
    """Writes a config and waits until the servers follow it; where none runs, the next to start will.

    Args:
        configs: the old config and the new one.
        servers: those that read it.
        timeout: seconds in which they must load a version, and in which they must follow the labels.

    Raises:
        ReleaseError: a server does not load a version; then the old config is in place again. Or it does not follow the
            labels; then the new config stays, for the server has shown that it can load what it asks for.
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
    """What is loaded now and what is to be, under the labels of now."""
    config = ModelServerConfig()
    config.CopyFrom(configs.before)
    entry = _entry(config, configs)
    now = model_config.loaded(entry, read_versions(configs.models / configs.model))
    new = _entry(configs.after, configs).model_version_policy.specific.versions
    model_config.choose(entry, {*now, *new}, dict(entry.version_labels))
    return config


def _await_versions(server: Server, needed: set[int], known: Mapping[int, str], models: Path, timeout: float) -> None:
    tried = set()

    def missing() -> dict[int, str]:
        states = server.states()
        left = {version: states.get(version, "unknown") for version in needed if states.get(version) != AVAILABLE}
        for version, state in left.items():
            if state != known.get(version):
                tried.add(version)
            # What it says of an earlier attempt says nothing of this one.
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


def _not_loaded(server: Server, version: int, state: str) -> ReleaseError:
    return ReleaseError(f"{server.target} cannot load version {version}: {state.removeprefix(_FAILED)}; {_AS_BEFORE}")


def _await_labels(server: Server, labels: Mapping[str, int | None], models: Path, timeout: float) -> None:
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
        time.sleep(_LOOK_EVERY)
    return left


def _what_to_do(models: Path) -> str:
    return (
        f"Its log may say why; is it started with --model_config_file={models / model_config.CONFIG_FILE} and "
        "--model_config_file_poll_wait_seconds=1? If it is no server of these models, give --offline"
    )
