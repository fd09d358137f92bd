import json

import pytest
from saved_models import INGEST, PREDICTIONS

from components.predictions.reading import read_predictions
from components.pusher.papers.card import NOT_STATED, RunFacts, model_card
from components.pusher.papers.markdown import card_text
from components.pusher.papers.measures import measure
from components.pusher.papers.probes import Probed
from imdb_core.examples import Example
from imdb_core.settings import CardSettings
from imdb_core.stats.intervals import wilson
from serving.releases.versions import Release

RELEASE = Release(
    source="/model", sha256="ab" * 32, pushed_at=1_700_000_000, run_id="monday", mode="vector", reason="a | b"
)
PROBES = (
    Probed("negation", 1, 2, wilson(1, 2, 0.9), ("Not good | at all.",)),
    Probed("sarcasm", 2, 2, wilson(2, 2, 0.9), ()),
)


def card_of(stated: CardSettings = CardSettings(), source: str = "sample", records=PREDICTIONS):  # noqa: B008 - immutable
    measures = measure(
        read_predictions(Example.FromString(record).features.feature for record in records), "vector", 0.9
    )
    facts = RunFacts("critic", 1234, {**INGEST, "source": source}, measures, ["preset=blog", 'data.splits={a = "b"}'])
    return model_card(7, RELEASE, stated, facts, PROBES)


def test_it_is_json_with_the_facts_of_the_run():
    card = card_of()
    assert json.loads(json.dumps(card, allow_nan=False)) == card
    assert list(card) == ["model", "use", "data", "metrics", "limits", "energy", "time", "reproduce"]
    model = {name: card["model"][name] for name in ("name", "version", "sha256", "run_id", "mode", "parameters")}
    assert model == {
        "name": "critic",
        "version": 7,
        "sha256": "ab" * 32,
        "run_id": "monday",
        "mode": "vector",
        "parameters": 1234,
    }
    assert card["data"]["fingerprint"] == "f1" * 32
    assert card["data"]["examples"] == INGEST["examples"]
    assert card["limits"][0]["right"] == 1
    assert card["energy"] == "not measured"
    assert "tensorflow" in card["reproduce"]["packages"]


@pytest.mark.parametrize(
    ("source", "stated", "languages"),
    [
        ("sample", "Apache-2.0: a grammar", ["en"]),
        ("imdb", "none granted: ", ["en"]),
        ("/my/reviews.csv", NOT_STATED, [NOT_STATED]),
    ],
)
def test_what_is_not_known_of_the_data_is_not_stated(source, stated, languages):
    card = card_of(source=source)
    assert card["data"]["source"] == source
    assert card["data"]["license"].startswith(stated)
    assert card["model"]["languages"] == languages
    assert card["model"]["license"] == card["model"]["contact"] == NOT_STATED


def test_what_people_state_comes_from_the_settings():
    stated = CardSettings(
        intended_use="Ours.",
        out_of_scope="",
        languages=("de", "fr"),
        license="MIT",
        data_license="CC0-1.0",
        contact="a@b.org",
    )
    for source in ("sample", "/my/reviews.csv"):
        card = card_of(stated, source)
        assert card["use"] == {"intended": "Ours.", "out_of_scope": NOT_STATED}
        assert card["model"]["languages"] == ["de", "fr"]
        assert (card["model"]["license"], card["model"]["contact"]) == ("MIT", "a@b.org")
        assert card["data"]["license"] == "CC0-1.0"


def test_a_figure_that_is_not_defined_is_null_and_named_undefined():
    # One review has one class, so there is no AUC, and no interval of a mean.
    card = card_of(records=PREDICTIONS[:1])
    _, auc, log_loss = card["metrics"]["metrics"]
    assert auc["estimate"] == {"value": None, "low": 0.0, "high": 1.0}
    assert log_loss["estimate"]["low"] is None
    text = card_text(card)
    assert "| AUC | undefined | 0.0000 to 1.0000 | DeLong |" in text
    assert "undefined to undefined" in text


def test_the_text_says_the_same():
    lines = card_text(card_of(CardSettings(license="MIT"))).splitlines()
    assert lines[0] == "# Model card: critic, version 7"
    assert [line for line in lines if line.startswith("## ")] == [
        "## What it is for",
        "## What it is not for",
        "## Data",
        "## Metrics",
        "## Limits, measured",
        "## Energy and time",
        "## How to reproduce it",
    ]
    for line in (
        "| Pushed | 2023-11-14 22:13:20 UTC |",
        "| Network | GRU with vector attention, 1,234 parameters |",
        "| Chosen because | a \\| b |",
        "| Licence | MIT |",
        "| Contact | not stated |",
        f"| Fingerprint | {'f1' * 32} |",
        "| Unusable rows, left out | 3 |",
        "| train | 1,200 | 1,100 |",
        "| 001-050 | 2 | 2 | 1.0000 | 0.4250 to 1.0000 |",
        "| negation | 1 | 2 | 0.5000 | 0.1209 to 0.8791 |",
        "- negation: Not good | at all.",
        "Energy: not measured.",
    ):
        assert line in lines
    assert "    --set preset=blog \\" in lines
    assert "    --set 'data.splits={a = \"b\"}'" in lines
    # All rows of a table have as many cells as its head.
    tables = [block.splitlines() for block in "\n".join(lines).split("\n\n") if block.startswith("|")]
    assert len(tables) == 7
    for rows in tables:
        assert len({row.replace("\\|", "").count("|") for row in rows}) == 1
