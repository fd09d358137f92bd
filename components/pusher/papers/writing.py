"""Writes all papers of a version that is being pushed."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from components.pusher.papers.card import RunFacts, model_card
from components.pusher.papers.markdown import card_text
from components.pusher.papers.probes import probe
from components.pusher.papers.sbom import software_bill
from imdb_core.features import POSITIVE, TEXT
from imdb_core.settings import CardSettings
from imdb_core.signatures import PROBABILITIES, SERVE_TEXT
from serving.releases.versions import CARD_JSON, CARD_TEXT, SBOM, Release
from serving.runtime.cpp_loader import CppSavedModel


def write_papers(
    number: int, saved_model: Path, release: Release, stated: CardSettings, facts: RunFacts
) -> Mapping[str, bytes]:
    """Runs a version's model on the sentences that show its limits, and writes its card and its bill of materials.

    `number` and `release` are those of the version; `saved_model` is a folder with its model.

    Raises:
        RunError: The model cannot be run.
    """
    with CppSavedModel(str(saved_model)) as model:

        def positive(texts: Sequence[str]) -> npt.NDArray[Any]:
            return model.run(SERVE_TEXT, {TEXT: list(texts)})[PROBABILITIES][:, POSITIVE]

        probes = probe(positive, facts.measures.confidence)
    card = model_card(number, release, stated, facts, probes)
    bill = software_bill(facts.model_name, str(number), release.sha256, made_at=release.pushed_at)
    document = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    return {name: text.encode() for name, text in ((CARD_TEXT, card_text(card)), (CARD_JSON, document), (SBOM, bill))}
