"""What is released: the disk, the config and the journal, read together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from serving.releases import journal, model_config
from serving.releases.errors import ReleaseError
from serving.releases.journal import Entry
from serving.releases.model_config import STABLE
from serving.releases.versions import Version, read_versions


@dataclass(frozen=True)
class State:
    """The releases of one model.

    Attributes:
        model: its name.
        versions: on disk, by number, rising.
        managed: whether traffic follows labels; if not, each push goes live by itself.
        loaded: versions that servers are told to load.
        labels: version by label, as the config has it.
        entries: of the journal, and of changes that it does not know yet.
        unrecorded: these changes alone.
    """

    model: str
    versions: Mapping[int, Version]
    managed: bool
    loaded: frozenset[int]
    labels: Mapping[str, int]
    entries: Sequence[Entry]
    unrecorded: Sequence[Entry]

    @property
    def live(self) -> int | None:
        """The stable version; without that label, the one that requests get. None if there is no version at all."""
        return self.labels.get(STABLE, max(self.loaded, default=None))

    @property
    def previous(self) -> int | None:
        """What a roll-back makes stable, or None."""
        return previous(self.entries, self.live, self.versions)

    def number(self, name: str) -> int:
        """Finds a version by its number or label.

        Args:
            name: like `1732406400` or `canary`.

        Raises:
            ReleaseError: there is no such version.
        """
        number = self.labels.get(name, int(name) if name.isdecimal() else None)
        if number is None and name == STABLE:
            number = self.live
        if number is None or number not in self.versions:
            known = [*sorted(self.labels), *(str(version) for version in reversed(self.versions))]
            raise ReleaseError(
                f"there is no version {name!r} of model {self.model!r}; "
                + (f"give one of {', '.join(known)}" if known else "push one with `imdb-attention run`")
            )
        return number


def read_state(models: Path, model: str) -> State:
    """Reads the state of one model's releases; nothing is changed.

    Args:
        models: folder of all models.
        model: its name.

    Raises:
        ReviewPipelineError: config or journal cannot be read.
    """
    versions = read_versions(models / model)
    config = model_config.entry(model_config.read(models), models, model)
    entries = journal.read(models, model)
    labels = dict(config.version_labels)
    unrecorded = [
        Entry(who="unknown", model=model, action="edit", label=label, before=known, after=labels.get(label))
        for label in sorted({*labels, *(entry.label for entry in entries if entry.label)})
        if (known := next(reversed(journal.history(entries, label)), None)) != labels.get(label)
    ]
    return State(
        model,
        versions,
        model_config.is_managed(config),
        frozenset(model_config.loaded(config, versions)),
        labels,
        [*entries, *unrecorded],
        unrecorded,
    )


def previous(entries: Iterable[Entry], stable: int | None, on_disk: Iterable[int]) -> int | None:
    """Finds the version to roll back to: the last stable one of the journal, or else the next older one.

    Args:
        entries: of one model.
        stable: the version to leave.
        on_disk: all versions; others cannot be gone back to.
    """
    if stable is None:
        return None
    versions = set(on_disk) - {stable}
    was_stable = [version for version in journal.history(entries, STABLE)[:-1] if version in versions]
    return was_stable[-1] if was_stable else max((number for number in versions if number < stable), default=None)
