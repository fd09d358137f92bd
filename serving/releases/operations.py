"""Changes of releases: one at a time, each atomic and recorded in the journal."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.names import CANARY, STABLE
from serving.releases import journal, model_config
from serving.releases.errors import ReleaseError
from serving.releases.journal import Entry
from serving.releases.lock import exclusive
from serving.releases.state import ReleaseState, previous, read_state
from serving.releases.versions import check_files

# Servers ignore folders whose name is not a number.
_REMOVING: Final = ".removing-"


@dataclass(frozen=True)
class Configs:
    """The current and the new content of `models.config`, which differ in one model."""

    models: Path
    model: str
    before: ModelServerConfig
    after: ModelServerConfig


# A function that brings the new config to the servers.
RollOut = Callable[[Configs], None]


def promote(models: Path, model: str, name: str, label: str, *, why: str, roll_out: RollOut) -> list[Entry]:
    """Moves a label to a version.

    The previous stable version stays loaded if it is older, so that a roll-back does not have to load it. A canary that
    becomes stable loses the label `canary`.

    Args:
        models: The folder of all models.
        model: The name of the model.
        name: The number of the version, or a label that it has.
        label: The label to move, `stable` or `canary`.
        why: The reason, for the journal, whose entries are returned; there are none if the version has the label.
        roll_out: The function that brings the new config to the servers.

    Raises:
        ReviewPipelineError: There is no such version, its files are not those that were pushed, or a server does not
            load it.
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
                f"version {number} is what clients get already, so it cannot be the canary; "
                "promote another one to stable first, or give another version"
            )
        labels = {**state.labels, **({STABLE: stable} if stable is not None else {}), label: number}
        return _release(models, state, "promote", _without_idle_canary(labels), why=why, roll_out=roll_out)


def rollback(models: Path, model: str, label: str, *, why: str, roll_out: RollOut) -> list[Entry]:
    """Makes the previous stable version stable again, or ends the canary; arguments and result are as in `promote`.

    Raises:
        ReviewPipelineError: There is no previous version or no canary, or a server does not load the version.
    """
    _require_models(models, model)
    with exclusive(models, "rollback"):
        state = _record_edits(models, model)
        labels = dict(state.labels)
        if label == CANARY:
            if labels.pop(CANARY, None) is None:
                raise ReleaseError(f"model {model!r} has no canary to end; see `imdb-attention models list`")
        elif state.previous is None:
            why_not = "nothing was pushed yet" if state.live is None else f"version {state.live} is the only one"
            raise ReleaseError(f"model {model!r} has no version to go back to: {why_not}; push or promote another one")
        else:
            labels[STABLE] = state.previous
        return _release(models, state, "rollback", _without_idle_canary(labels), why=why, roll_out=roll_out)


def prune(models: Path, model: str, keep: int, *, dry_run: bool = False) -> list[int]:
    """Deletes versions except the newest `keep`, those that are loaded or labelled, and the target of a roll-back.

    Returns the deleted versions in ascending order; `dry_run` deletes nothing.

    Raises:
        ReviewPipelineError: The config or the journal cannot be read, or another process is changing them.
    """
    _require_models(models, model)
    with exclusive(models, f"prune --keep {keep}"):
        state = read_state(models, model) if dry_run else _record_edits(models, model)
        stays = {*sorted(state.versions)[-keep:], *state.loaded, *state.labels.values(), state.live, state.previous}
        removed = [number for number in state.versions if number not in stays]
        if dry_run:
            return removed
        if removed:
            # Record first: after a crash, an entry for a version that is still there does less harm than a missing one.
            journal.append(models, Entry(model=model, action="prune", removed=tuple(removed)))
        for number in removed:
            path = state.versions[number].path
            # Hide the version first, so that no server finds half of it.
            path.rename(path.with_name(f"{_REMOVING}{number}"))
        for leftover in (models / model).glob(f"{_REMOVING}*"):
            shutil.rmtree(leftover)
        return removed


def _release(
    models: Path,
    state: ReleaseState,
    action: Literal["promote", "rollback"],
    labels: Mapping[str, int],
    *,
    why: str,
    roll_out: RollOut,
) -> list[Entry]:
    """Rolls out labels and the versions that they need, and records the change."""
    live = {STABLE: state.live, **state.labels}
    changes = [
        Entry(model=state.model, action=action, label=label, before=live.get(label), after=labels.get(label), why=why)
        for label in sorted({*state.labels, *labels}, reverse=True)
        if state.labels.get(label) != labels.get(label)
    ]
    if not changes:
        return []
    versions = set(labels.values())
    stable = labels.get(STABLE)
    back = previous([*state.entries, *changes], stable, state.versions)
    # Requests without a label get the loaded version of the largest number: after a roll-back, not the bad one.
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
        # A roll-out may fail after the point at which it can be undone.
        if model_config.read(models) == after:
            journal.append(models, *changes)
    return changes


def _record_edits(models: Path, model: str) -> ReleaseState:
    """Reads the state, and records changes that somebody made to the config by hand."""
    state = read_state(models, model)
    if state.unrecorded:
        journal.append(models, *state.unrecorded)
    return state


def _without_idle_canary(labels: dict[str, int]) -> dict[str, int]:
    return {name: number for name, number in labels.items() if name != CANARY or number != labels.get(STABLE)}


def _require_models(models: Path, model: str) -> None:
    if not (models / model).is_dir():
        raise ReleaseError(
            f"{models / model} is not a folder, so no version of model {model!r} was pushed there; push one with "
            "`imdb-attention run`, or set IMDB_WORKSPACE or --model"
        )
