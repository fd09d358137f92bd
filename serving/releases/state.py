"""The state of a model's releases, read from the disk, the config and the journal."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from serving.names import STABLE
from serving.releases import journal, model_config
from serving.releases.errors import ReleaseError
from serving.releases.journal import Entry
from serving.releases.versions import PushedVersion, read_versions


@dataclass(frozen=True)
class ReleaseState:
    """The releases of one model.

    Attributes:
        versions: The versions on disk by number, in ascending order.
        managed: Whether traffic follows labels; if not, each push goes live by itself.
        loaded: Versions that the config tells servers to load.
        labels: Version by label, as in the config.
        entries: The entries of the journal, followed by the unrecorded ones.
        unrecorded: Changes of the config that are not in the journal yet.
    """

    model: str
    versions: Mapping[int, PushedVersion]
    managed: bool
    loaded: frozenset[int]
    labels: Mapping[str, int]
    entries: Sequence[Entry]
    unrecorded: Sequence[Entry]

    @property
    def live(self) -> int | None:
        """The stable version or, without that label, the one that requests get; None if there is no version."""
        return self.labels.get(STABLE, max(self.loaded, default=None))

    @property
    def previous(self) -> int | None:
        """The version that a roll-back would make stable, or None."""
        return previous(self.entries, self.live, self.versions)

    def number(self, name: str) -> int:
        """Finds a version by its number or label, such as `1732406400` or `canary`.

        Raises:
            ReleaseError: There is no such version.
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


def read_state(models: Path, model: str) -> ReleaseState:
    """Reads the state of one model's releases, without changing anything.

    Raises:
        ReviewPipelineError: The config or the journal cannot be read.
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
    return ReleaseState(
        model,
        versions,
        model_config.is_managed(config),
        frozenset(model_config.loaded(config, versions)),
        labels,
        [*entries, *unrecorded],
        unrecorded,
    )


def previous(entries: Iterable[Entry], stable: int | None, on_disk: Iterable[int]) -> int | None:
    """Finds the version on disk for a roll-back from `stable`.

    It is the last stable one in the journal's entries, oldest first, or, without one, the next older version.
    """
    if stable is None:
        return None
    versions = set(on_disk) - {stable}
    was_stable = [version for version in journal.history(entries, STABLE)[:-1] if version in versions]
    return was_stable[-1] if was_stable else max((number for number in versions if number < stable), default=None)
