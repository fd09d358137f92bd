"""Writes all papers of a version that is being pushed."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from components.pusher.papers.card import RunFacts, model_card
from components.pusher.papers.markdown import card_text
from components.pusher.papers.probes import probe
from components.pusher.papers.sbom import software_bill
from imdb_core.features import POSITIVE, TEXT
from imdb_core.settings import CardSettings
from imdb_core.signatures import PROBABILITIES, SERVE_TEXT
from serving.releases.versions import CARD_JSON, CARD_TEXT, SBOM, PushedVersion
from serving.runtime.cpp_loader import CppSavedModel


def write_papers(version: PushedVersion, stated: CardSettings, facts: RunFacts) -> Mapping[str, bytes]:
    """Runs a version's model on the sentences that show its limits, and writes its card and its bill of materials.

    Raises:
        RunError: The model cannot be run.
    """
    with CppSavedModel(str(version.path)) as model:

        def positive(texts: Sequence[str]) -> npt.NDArray[Any]:
            return model.run(SERVE_TEXT, {TEXT: list(texts)})[PROBABILITIES][:, POSITIVE]

        probes = probe(positive, facts.measures.confidence)
    card = model_card(version, stated, facts, probes)
    model_facts = card["model"]
    bill = software_bill(facts.model_name, str(version.number), model_facts["sha256"], made_at=model_facts["pushed_at"])
    document = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    return {name: text.encode() for name, text in ((CARD_TEXT, card_text(card)), (CARD_JSON, document), (SBOM, bill))}
