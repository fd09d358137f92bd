import pytest
from made_runs import FAILED, PUSHED, VERSION
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact
from tfx.dsl.component.experimental.decorators import component
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from imdb_core.errors import RunError
from pipeline.history import runs
from pipeline.history.tables import describe_run, runs_table
from pipeline.workspace.run_names import FAILURE_FILE, RUN_FILE

NODES = ["write", "check", "fail"]


@component
def write(text: OutputArtifact[standard_artifacts.String]) -> None:
    text.value = "a review"
    text.set_string_custom_property("note", "kept")


@component
def check(text: InputArtifact[standard_artifacts.String], copy: OutputArtifact[standard_artifacts.String]) -> None:
    if text.value != "a review":
        raise ValueError(text.value)
    copy.value = "broken"


@component
def fail(copy: InputArtifact[standard_artifacts.String]) -> None:
    raise ValueError("it always fails")


@pytest.fixture(scope="module")
def tfx_runs(tmp_path_factory) -> tuple[metadata_store_pb2.ConnectionConfig, list[str]]:
    """Two real runs of a pipeline whose last node fails, and one of another pipeline in the same store."""
    folder = tmp_path_factory.mktemp("runs")
    connection = metadata.sqlite_metadata_connection_config(str(folder / "metadata.db"))

    def run(name: str, *, fails: bool) -> str:
        writer = write()
        checker = check(text=writer.outputs["text"])
        nodes = [writer, checker, fail(copy=checker.outputs["copy"])]
        pipeline = Pipeline(
            pipeline_name=name,
            pipeline_root=str(folder / name),
            components=nodes if fails else nodes[:2],
            enable_cache=True,
            metadata_connection_config=connection,
        )
        if fails:
            with pytest.raises(Exception, match="it always fails"):
                LocalDagRunner().run(pipeline)
        else:
            LocalDagRunner().run(pipeline)
        newest = max(
            metadata_store.MetadataStore(connection).get_contexts_by_type("pipeline_run"), key=lambda item: item.id
        )
        return newest.name

    run_ids = [run("tiny", fails=True), run("tiny", fails=True), run("other", fails=False)]
    return connection, run_ids


def test_runs_come_newest_first_with_their_outcomes(made):
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


def test_studies_in_the_same_store_are_not_runs(made):
    made.pushed_run(explained=False)
    made.execute("2026-12-31T00:00:00", "Trainer.scalar.seed1", pipeline="imdb_attention_study")
    assert [run.run_id for run in runs.past_runs(made.connection, made.workspace)] == [PUSHED]
    assert runs.find_run(made.connection, made.workspace).run_id == PUSHED


@pytest.mark.parametrize("name", [None, PUSHED, PUSHED.replace(":", "-")])
def test_a_run_is_found_by_id_and_by_folder_and_the_newest_by_default(made, name):
    made.pushed_run(explained=False)
    assert runs.find_run(made.connection, made.workspace, name).run_id == PUSHED


def test_an_unknown_run_is_refused_with_a_list_of_known_runs(made):
    with pytest.raises(RunError, match=r"no run yet .* make one with `imdb-attention run`"):
        runs.find_run(made.connection, made.workspace)
    made.failed_run()
    with pytest.raises(RunError, match=f"no run 'x' .* the newest are {FAILED}"):
        runs.find_run(made.connection, made.workspace, "x")


def test_settings_are_the_recorded_ones_or_those_of_the_executions(made):
    made.pushed_run(explained=False)
    assert runs.find_run(made.connection, made.workspace).settings["transform.max_tokens"] == 8
    made.record(PUSHED, RUN_FILE)
    recorded = runs.find_run(made.connection, made.workspace)
    assert recorded.settings["training.epochs"] == 2
    told = describe_run(recorded)
    assert (told["preset"], told["changed"], told["version"]) == ("attention", {"training.epochs": 2}, VERSION)
    assert told["metrics"]["scalar"]["accuracy"] == 0.81


def test_a_failed_run_has_its_error_and_a_damaged_record_is_ignored(made):
    made.failed_run()
    run = runs.find_run(made.connection, made.workspace)
    assert run.settings == {"data.source": "nowhere.csv"}
    made.record(FAILED, FAILURE_FILE, error="ImdbExampleGen failed: no [file]")
    run = runs.find_run(made.connection, made.workspace)
    assert describe_run(run)["error"] == "ImdbExampleGen failed: no [file]"
    assert runs_table([run]).row_count == 1
    (made.workspace / "reports" / FAILED.replace(":", "-") / FAILURE_FILE).write_text("{")
    assert runs.find_run(made.connection, made.workspace).failure is None


def states(tfx_runs, number: int) -> list[str]:
    connection, run_ids = tfx_runs
    found = runs.run_nodes(connection, run_ids[number], NODES)
    assert list(found) == NODES
    assert [state.node for state in found.values()] == NODES
    return [state.state for state in found.values()]


def test_nodes_of_a_first_run_are_complete_up_to_the_failed_one(tfx_runs):
    assert states(tfx_runs, 0) == [runs.COMPLETE, runs.COMPLETE, "FAILED"]
    assert "FAILED" not in runs.SUCCEEDED


def test_nodes_of_a_second_run_are_cached(tfx_runs):
    assert states(tfx_runs, 1) == [runs.CACHED, runs.CACHED, "FAILED"]


def test_a_node_without_an_execution_is_not_run(tfx_runs):
    assert states(tfx_runs, 2) == [runs.COMPLETE, runs.COMPLETE, runs.NOT_RUN]


def test_complete_and_cached_nodes_have_outputs_with_properties(tfx_runs):
    connection, run_ids = tfx_runs
    first, second = (runs.run_nodes(connection, run_id, NODES) for run_id in run_ids[:2])
    for nodes in (first, second):
        (text,) = nodes["write"].outputs["text"]
        assert text.type == standard_artifacts.String.TYPE_NAME
        assert text.properties["note"] == "kept"
        assert (list(nodes["check"].outputs), nodes["fail"].outputs) == (["copy"], {})
    assert second["write"].outputs["text"][0].id == first["write"].outputs["text"][0].id


def test_all_nodes_of_an_unknown_run_are_not_run(tfx_runs):
    connection, _ = tfx_runs
    found = runs.run_nodes(connection, "no such run", NODES)
    assert {state.state for state in found.values()} == {runs.NOT_RUN}
