import json
import os

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline

from components.example_gen.component import ImdbExampleGen
from imdb_core.errors import BadDataError, SourceError
from imdb_core.settings import BeamSettings, DataSettings

STATES = metadata_store_pb2.Execution.State


class OneNodePipeline:
    """A pipeline of one node that keeps its ML Metadata between runs."""

    def __init__(self, folder):
        self.folder = folder
        self.connection = metadata.sqlite_metadata_connection_config(str(folder / "metadata.sqlite"))

    def run(self, code_digest="1", **data):
        """Runs the pipeline and returns the state of the last execution."""
        settings = DataSettings(**{"eval_fraction": 0.3, "min_per_class": 1, "shards": 2} | data)
        node = ImdbExampleGen(settings, code_digest, str(self.folder / "cache"))
        pipeline = Pipeline(
            "ingest_test",
            str(self.folder / "root"),
            components=[node],
            enable_cache=True,
            metadata_connection_config=self.connection,
            beam_pipeline_args=list(BeamSettings().pipeline_args),
        )
        LocalDagRunner().run(pipeline)
        return self.last_state()

    def last_state(self):
        with metadata.Metadata(self.connection) as handle:
            executions = handle.store.get_executions()
        return STATES.Name(max(executions, key=lambda execution: execution.id).last_known_state)

    def artifacts(self):
        with metadata.Metadata(self.connection) as handle:
            return handle.store.get_artifacts_by_type("Examples")


@pytest.fixture
def runs(tmp_path):
    (tmp_path / "state").mkdir()
    return OneNodePipeline(tmp_path / "state")


def test_it_runs_again_only_when_something_changed(runs, csv_source):
    source = str(csv_source)
    assert runs.run(source=source) == "COMPLETE"
    csv_source.read_bytes()
    assert runs.run(source=source) == "CACHED"
    content = csv_source.read_text()
    csv_source.write_text(content.replace("lighthouse", "light-house"))
    assert runs.run(source=source) == "COMPLETE"
    assert runs.run(source=source) == "CACHED"
    os.utime(csv_source, (1, 1))
    assert runs.run(source=source) == "COMPLETE"
    assert runs.run(source=source, code_digest="2") == "COMPLETE"
    assert runs.run(source=source, code_digest="2", dedupe=True) == "COMPLETE"
    assert len(runs.artifacts()) == 5
    properties = runs.artifacts()[-1].custom_properties
    assert properties["rows_read"].int_value == 34
    assert json.loads(runs.artifacts()[-1].properties["split_names"].string_value) == ["train", "eval", "test"]


def test_a_missing_source_fails_the_node_with_one_line(runs, tmp_path):
    with pytest.raises(SourceError, match="no such file") as caught:
        runs.run(source=f"{tmp_path}/gone.csv")
    assert "\n" not in str(caught.value)
    assert runs.last_state() == "FAILED"


def test_bad_data_fails_the_node_and_keeps_only_the_dead_letter_file(runs, tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("text,label\nfine,1\nfine,maybe\n")
    with pytest.raises(BadDataError, match="unknown_label 1"):
        runs.run(source=str(path))
    assert runs.last_state() == "FAILED"
    assert [file.suffix for file in (runs.folder / "cache/dead_letter").iterdir()] == [".jsonl"]
    assert list((runs.folder / "root").rglob("*.gz")) == []
