import pytest
from made_runs import FAILED, PUSHED, VERSION

from imdb_core.errors import RunError
from imdb_core.file_names import FAILURE_FILE, RUN_FILE
from pipeline.history import runs
from pipeline.history.tables import describe_run, runs_table


def test_runs_come_newest_first_with_what_became_of_them(made):
    made.pushed_run()
    made.failed_run()
    failed, pushed = runs.past_runs(made.connection, made.workspace)
    assert (failed.run_id, failed.outcome) == (FAILED, "failed")
    assert (pushed.run_id, pushed.outcome) == (PUSHED, "pushed")
    assert list(pushed.nodes)[:3] == ["ImdbExampleGen", "StatisticsGen", "ExampleValidator"]
    assert pushed.nodes["Trainer.vector"].inputs["transform_graph"][0].type == "TransformGraph"
    assert pushed.selection["winner"] == "scalar"


def test_a_cached_node_has_the_outputs_of_the_one_it_repeats(made):
    ids = made.pushed_run()
    made.execute("again", "ImdbExampleGen", state="CACHED", reused={"examples": ids["examples"]})
    again = runs.find_run(made.connection, made.workspace)
    assert again.nodes["ImdbExampleGen"].state == "CACHED"
    assert again.artifact("ImdbExampleGen", "examples").id == ids["examples"]
    assert again.outcome == "unfinished"
    assert describe_run(again)["cached"] == 1


def test_a_study_is_no_run_though_it_is_in_the_same_store(made):
    made.pushed_run(explained=False)
    made.execute("2026-12-31T00:00:00", "Trainer.scalar.seed1", pipeline="imdb_attention_study")
    assert [run.run_id for run in runs.past_runs(made.connection, made.workspace)] == [PUSHED]
    assert runs.find_run(made.connection, made.workspace).run_id == PUSHED


@pytest.mark.parametrize("name", [None, PUSHED, PUSHED.replace(":", "-")])
def test_a_run_is_found_by_id_and_by_folder_and_the_newest_by_default(made, name):
    made.pushed_run(explained=False)
    assert runs.find_run(made.connection, made.workspace, name).run_id == PUSHED


def test_an_unknown_run_is_refused_with_those_that_are_known(made):
    with pytest.raises(RunError, match=r"no run yet .* make one with `imdb-attention run`"):
        runs.find_run(made.connection, made.workspace)
    made.failed_run()
    with pytest.raises(RunError, match=f"no run 'x' .* the newest are {FAILED}"):
        runs.find_run(made.connection, made.workspace, "x")


def test_settings_are_those_recorded_and_else_what_executions_tell(made):
    made.pushed_run(explained=False)
    assert runs.find_run(made.connection, made.workspace).settings["transform.max_tokens"] == 8
    made.record(PUSHED, RUN_FILE)
    recorded = runs.find_run(made.connection, made.workspace)
    assert recorded.settings["training.epochs"] == 2
    told = describe_run(recorded)
    assert (told["preset"], told["changed"], told["version"]) == ("attention", {"training.epochs": 2}, VERSION)
    assert told["metrics"]["scalar"]["accuracy"] == 0.81


def test_a_failed_run_tells_its_error_and_a_damaged_record_is_none(made):
    made.failed_run()
    run = runs.find_run(made.connection, made.workspace)
    assert run.settings == {"data.source": "nowhere.csv"}
    made.record(FAILED, FAILURE_FILE, error="ImdbExampleGen failed: no [file]")
    run = runs.find_run(made.connection, made.workspace)
    assert describe_run(run)["error"] == "ImdbExampleGen failed: no [file]"
    assert runs_table([run]).row_count == 1
    (made.workspace / "reports" / FAILED.replace(":", "-") / FAILURE_FILE).write_text("{")
    assert runs.find_run(made.connection, made.workspace).failure is None
