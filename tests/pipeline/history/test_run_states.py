import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact
from tfx.dsl.component.experimental.decorators import component
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from pipeline.history.run_states import CACHED, COMPLETE, NOT_RUN, SUCCEEDED, run_nodes

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
def runs(tmp_path_factory) -> tuple[metadata_store_pb2.ConnectionConfig, list[str]]:
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


def states(runs, number: int, name: str = "tiny") -> list[str]:
    connection, run_ids = runs
    found = run_nodes(connection, name, run_ids[number], NODES)
    assert list(found) == NODES
    assert [state.node for state in found.values()] == NODES
    return [state.state for state in found.values()]


def test_a_first_run_is_complete_as_far_as_it_came(runs):
    assert states(runs, 0) == [COMPLETE, COMPLETE, "FAILED"]
    assert "FAILED" not in SUCCEEDED


def test_a_second_run_is_cached(runs):
    assert states(runs, 1) == [CACHED, CACHED, "FAILED"]


def test_a_node_that_never_started_is_told(runs):
    assert states(runs, 2, "other") == [COMPLETE, COMPLETE, NOT_RUN]


def test_outputs_come_with_their_properties_cached_or_not(runs):
    connection, run_ids = runs
    first, second = (run_nodes(connection, "tiny", run_id, NODES) for run_id in run_ids[:2])
    for nodes in (first, second):
        (text,) = nodes["write"].outputs["text"]
        assert isinstance(text, standard_artifacts.String)
        assert text.get_string_custom_property("note") == "kept"
        assert (list(nodes["check"].outputs), nodes["fail"].outputs) == (["copy"], {})
    assert second["write"].outputs["text"][0].id == first["write"].outputs["text"][0].id


def test_an_unknown_run_has_run_nothing(runs):
    connection, _ = runs
    found = run_nodes(connection, "tiny", "no such run", NODES)
    assert {state.state for state in found.values()} == {NOT_RUN}
