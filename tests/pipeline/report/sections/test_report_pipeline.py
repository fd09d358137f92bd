from made_runs import PUSHED

from pipeline.history.runs import find_run
from pipeline.report.sections.pipeline import upstream_of
from pipeline.workspace.run_names import RUN_FILE


def test_upstream_nodes_are_recorded_or_derived_from_artifacts(made):
    made.pushed_run()
    upstream = upstream_of(find_run(made.connection, made.workspace))
    assert upstream["Predictions.modes"] == ["ImdbExampleGen", "Trainer.vector", "Trainer.scalar"]
    assert upstream["ImdbExampleGen"] == []
    made.record(PUSHED, RUN_FILE, upstream={"A": [], "B": ["A"]})
    assert upstream_of(find_run(made.connection, made.workspace)) == {"A": [], "B": ["A"]}
