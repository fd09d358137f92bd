import io

import pytest
from made_runs import VERSION
from rich.console import Console

from imdb_core.errors import RunError
from pipeline.history.lineage import trace
from pipeline.history.tables import lineage_tree


def test_a_version_leads_to_its_data(made):
    ids = made.pushed_run()
    step = trace(made.connection, VERSION)
    path = []
    while step.sources:
        path.append((step.artifact.type, step.node.node))
        step = step.sources[0]
    assert path == [
        ("PushedModel", "Pusher"),
        ("Model", "ModeSelector"),
        ("Model", "Trainer.scalar"),
        ("TransformGraph", "Transform"),
    ]
    assert (step.artifact.type, step.artifact.id, step.node.node) == ("Examples", ids["examples"], "ImdbExampleGen")


def test_a_repeated_artifact_has_no_sources(made):
    made.pushed_run()
    (model,) = trace(made.connection, VERSION).sources
    scalar, vector = model.sources
    assert not scalar.sources[0].repeated
    assert vector.sources[0].repeated
    assert vector.sources[0].sources == ()


def test_a_cached_execution_is_not_the_maker(made):
    ids = made.pushed_run()
    made.execute("again", "Trainer.elsewhere", state="CACHED", reused={"model": ids["chosen"]})
    assert trace(made.connection, VERSION).sources[0].node.node == "ModeSelector"


def test_digests_of_source_and_code_are_shown(made):
    made.pushed_run()
    console = Console(record=True, width=200, file=io.StringIO())
    console.print(lineage_tree(trace(made.connection, VERSION)))
    text = console.export_text()
    assert f"PushedModel {VERSION} <- Pusher, 20" in text
    assert "input fingerprint ffffffffffff, code digest cccccccccccc, source sample" in text
    assert "code digest dddddddddddd" in text
    told = trace(made.connection, VERSION).to_json()
    assert told["sources"][0]["node"] == "ModeSelector"


def test_an_unknown_version_is_refused_with_a_list_of_known_versions(made):
    with pytest.raises(RunError, match="no run pushed a version '3'; no run has pushed one yet"):
        trace(made.connection, "3")
    made.pushed_run()
    with pytest.raises(RunError, match=f"no run pushed a version '3'; known are {VERSION}"):
        trace(made.connection, "3")
