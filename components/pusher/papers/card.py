"""The model card of a version: its facts, gathered from the run that pushes it and from the settings `[card]`.

The headings follow Mitchell et al., "Model cards for model reporting", 2019.
"""

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from components.pusher.papers.measures import Measures
from components.pusher.papers.probes import Probed
from imdb_core.packages import package_versions
from imdb_core.settings import CardSettings
from serving.releases.versions import Release

NOT_STATED: Final = "not stated"
_AUTO: Final = "auto"
_SAMPLE: Final = "sample"
_IMDB: Final = "imdb"
_DATA_LICENSES: Final = {
    _SAMPLE: "Apache-2.0: a grammar of this project invented the reviews",
    _IMDB: (
        'none granted: the archive asks to cite Maas et al., "Learning word vectors for sentiment analysis", 2011; '
        "the reviews are their authors' and IMDb's"
    ),
}
_LANGUAGES: Final = {_SAMPLE: ("en",), _IMDB: ("en",)}
_DESCRIPTIONS: Final = {
    _SAMPLE: "Invented reviews of invented films. The metrics say how the pipeline works, and nothing about films.",
    _IMDB: "The Large Movie Review Dataset: reviews from IMDb, with its official test split.",
}


@dataclass(frozen=True)
class RunFacts:
    """What a run knows of its winner beyond its `Release`.

    Attributes:
        model_name: Name of the model for clients.
        parameters: Number of weights.
        ingest: The report of the ingest.
        measures: The winner's quality on the test reviews.
        assignments: The settings of the run that differ from the defaults, as `--set` takes them.
    """

    model_name: str
    parameters: int
    ingest: Mapping[str, Any]
    measures: Measures
    assignments: Sequence[str]


def model_card(
    number: int, release: Release, stated: CardSettings, facts: RunFacts, probes: Sequence[Probed]
) -> dict[str, Any]:
    """Gathers the card as a tree of JSON values; a number that is not defined is null.

    Args:
        number: Number of the version.
        release: The version's release.
        stated: What people state.
        facts: What the run knows.
        probes: The model's answers to the sentences that show its limits.
    """
    source = facts.ingest["source"]
    card = {
        "model": {
            "name": facts.model_name,
            "version": number,
            "sha256": release.sha256,
            "pushed_at": release.pushed_at,
            "run_id": release.run_id,
            "mode": release.mode,
            "why_this_mode": release.reason,
            "parameters": facts.parameters,
            "license": stated.license or NOT_STATED,
            "contact": stated.contact or NOT_STATED,
            "languages": _languages(stated, source),
        },
        "use": {
            "intended": stated.intended_use or NOT_STATED,
            "out_of_scope": stated.out_of_scope or NOT_STATED,
        },
        "data": {
            "source": source,
            "description": _DESCRIPTIONS.get(source, "Reviews of the user's own."),
            "fingerprint": facts.ingest["fingerprint"],
            "license": _data_license(stated, source),
            **{name: facts.ingest[name] for name in ("examples", "rejected", "leaks", "contradictions")},
        },
        "metrics": asdict(facts.measures),
        "limits": [asdict(one) for one in probes],
        "energy": "not measured",
        "time": f"not measured here; the record of run {release.run_id}, reports/RUN/run.json, has each node's seconds",
        "reproduce": {
            "command": "tfx run create --pipeline pipeline/",
            "set": list(facts.assignments),
            "python": platform.python_version(),
            "packages": package_versions(),
        },
    }
    defined: dict[str, Any] = _defined(card)
    return defined


def _languages(stated: CardSettings, source: str) -> list[str]:
    languages = _LANGUAGES.get(source, ()) if stated.languages == (_AUTO,) else stated.languages
    return list(languages) or [NOT_STATED]


def _data_license(stated: CardSettings, source: str) -> str:
    known = _DATA_LICENSES.get(source, "") if stated.data_license == _AUTO else stated.data_license
    return known or NOT_STATED


def _defined(value: Any) -> Any:
    """Replaces NaN, which JSON does not know, by None, and tuples by lists."""
    if isinstance(value, Mapping):
        return {key: _defined(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_defined(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
