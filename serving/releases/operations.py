"""Changes of what is released: one at a time, each atomic and in the journal."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.releases import journal, model_config
from serving.releases.errors import ReleaseError
from serving.releases.journal import Entry
from serving.releases.lock import exclusive
from serving.releases.model_config import CANARY, STABLE
from serving.releases.state import State, previous, read_state
from serving.releases.versions import check_files

# Servers take only numbers for versions.
_REMOVING: Final = ".removing-"


@dataclass(frozen=True)
class Configs:
    """Two contents of `models.config`, and which model differs between them.

    Attributes:
        models: folder of all models.
        model: the name of the one.
        before: what servers have now.
        after: what they are to have.
    """

    models: Path
    model: str
    before: ModelServerConfig
    after: ModelServerConfig


RollOut = Callable[[Configs], None]


def promote(models: Path, model: str, name: str, label: str, *, why: str, roll_out: RollOut) -> list[Entry]:
    """Gives a version a label.

    The version that was stable stays loaded if it is older, so that a roll-back need not load it. A canary that becomes
    stable is no canary any more.

    Args:
        models: folder of all models.
        model: name of the model.
        name: of the version: its number, or a label that it has.
        label: `stable` or `canary`.
        why: for the journal.
        roll_out: brings the new config to the servers.

    Returns:
        What changed; nothing if the version has the label already.

    Raises:
        ReviewPipelineError: there is no such version, its files are not those that were pushed, or a server does not
            take it.
    """
    _require_models(models, model)
    with exclusive(models, f"promote {name}"):
        state = _record_edits(models, model)
        number = state.number(name)
        if state.versions[number].release is not None:
            check_files(state.versions[number])
        stable = number if label == STABLE else state.live
        if label == CANARY and number == stable:
            raise ReleaseError(
                f"version {number} is what clients get already, so it can be no canary; "
                "promote another one to stable first, or give another version"
            )
        labels = {**state.labels, **({STABLE: stable} if stable is not None else {}), label: number}
        return _release(models, state, "promote", _without_idle_canary(labels), why=why, roll_out=roll_out)


def rollback(models: Path, model: str, label: str, *, why: str, roll_out: RollOut) -> list[Entry]:
    """Makes the previous stable version stable again, or ends the canary.

    Args:
        models: folder of all models.
        model: name of the model.
        label: `stable` or `canary`.
        why: for the journal.
        roll_out: brings the new config to the servers.

    Returns:
        What changed.

    Raises:
        ReviewPipelineError: there is nothing to go back to, or a server does not take it.
    """
    _require_models(models, model)
    with exclusive(models, "rollback"):
        state = _record_edits(models, model)
        labels = dict(state.labels)
        if label == CANARY:
            if labels.pop(CANARY, None) is None:
                raise ReleaseError(f"model {model!r} has no canary, so there is none to end")
        elif state.previous is None:
            raise ReleaseError(
                f"model {model!r} has no version to go back to: {_in_words(state)}; push or promote another one"
            )
        else:
            labels[STABLE] = state.previous
        return _release(models, state, "rollback", _without_idle_canary(labels), why=why, roll_out=roll_out)


def prune(models: Path, model: str, keep: int, *, dry_run: bool = False) -> list[int]:
    """Deletes old versions, but none that a server loads, that has a label, or that a roll-back would need.

    Args:
        models: folder of all models.
        model: name of the model.
        keep: number of newest versions that stay in any case, at least 1.
        dry_run: only say what would go.

    Returns:
        The versions that are gone, rising.

    Raises:
        ReviewPipelineError: the config or the journal cannot be read, or somebody else is changing them.
    """
    _require_models(models, model)
    with exclusive(models, f"prune --keep {keep}"):
        state = read_state(models, model) if dry_run else _record_edits(models, model)
        stays = {*sorted(state.versions)[-keep:], *state.loaded, *state.labels.values(), state.live, state.previous}
        removed = [number for number in state.versions if number not in stays]
        if dry_run:
            return removed
        if removed:
            # Before they are gone: better a record of what a crash has left than none of what is missing.
            journal.append(models, Entry(model=model, action="prune", removed=tuple(removed)))
        for number in removed:
            path = state.versions[number].path
            # First out of sight, so that no server finds half a version.
            path.rename(path.with_name(f"{_REMOVING}{number}"))
        for leftover in (models / model).glob(f"{_REMOVING}*"):
            shutil.rmtree(leftover)
        return removed


def _release(
    models: Path,
    state: State,
    action: Literal["promote", "rollback"],
    labels: Mapping[str, int],
    *,
    why: str,
    roll_out: RollOut,
) -> list[Entry]:
    """Brings labels to the servers, with what must be loaded for them, and records it."""
    known_before = {STABLE: state.live, **state.labels}
    changes = [
        Entry(
            model=state.model,
            action=action,
            label=label,
            before=known_before.get(label),
            after=labels.get(label),
            why=why,
        )
        for label in sorted({*state.labels, *labels}, reverse=True)
        if state.labels.get(label) != labels.get(label)
    ]
    if not changes:
        return []
    versions = set(labels.values())
    stable = labels.get(STABLE)
    back = previous([*state.entries, *changes], stable, state.versions)
    # Requests without a label get the largest loaded version: after a roll-back that must not be the bad one.
    if stable is not None and back is not None and back < stable:
        versions.add(back)
    model_config.ensure(models, state.model)
    before = model_config.read(models)
    after = ModelServerConfig()
    after.CopyFrom(before)
    model_config.choose(model_config.entry(after, models, state.model), versions, labels)
    try:
        roll_out(Configs(models, state.model, before, after))
    finally:
        # A roll-out that fails may have come too far to be taken back.
        if model_config.read(models) == after:
            journal.append(models, *changes)
    return changes


def _record_edits(models: Path, model: str) -> State:
    """Reads the state, and records what other hands have changed."""
    state = read_state(models, model)
    if state.unrecorded:
        journal.append(models, *state.unrecorded)
    return state


def _without_idle_canary(labels: dict[str, int]) -> dict[str, int]:
    return {name: number for name, number in labels.items() if name != CANARY or number != labels.get(STABLE)}


def _in_words(state: State) -> str:
    return f"version {state.live} is the only one" if state.live is not None else "nothing was pushed yet"


def _require_models(models: Path, model: str) -> None:
    if not (models / model).is_dir():
        raise ReleaseError(
            f"{models / model} is no folder, so no version of model {model!r} was pushed there; push one with "
            "`imdb-attention run`, or set IMDB_WORKSPACE or --model"
        )
