"""Tests of CheckedRunner with pipelines that succeed and that fail in each way that LocalDagRunner has."""

import dataclasses
import json
import logging
import os
import re
import signal
import time
from pathlib import Path

import pytest
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.types import Channel, standard_artifacts

from imdb_core import progress
from imdb_core.errors import BadDataError, RunError
from pipeline.running.live_view import RUN_LINES
from pipeline.running.outcome import draw_page
from pipeline.running.runner import CheckedRunner
from pipeline.settings import load_settings
from pipeline.workspace.run_names import PIPELINE_NAME


@component
def Producer(model: OutputArtifact[standard_artifacts.Model]):  # noqa: N802 - a node
    logging.getLogger(progress.PROGRESS_LOGGER).info("producing %s", Path(model.uri).name)
    os.write(1, b"chatter of a library")


@component
def Consumer(model: InputArtifact[standard_artifacts.Model]):  # noqa: N802 - a node
    assert model


@component
def Broken():  # noqa: N802 - a node
    raise BadDataError("the data is bad; mend it")


@component
def Surprising():  # noqa: N802 - a node
    raise ValueError("first line\nsecond line")


@component
def Filling(folder: Parameter[str]):  # noqa: N802 - a node
    with open("/dev/full", "w") as file:
        file.write(folder * 10_000)


@component
def Surprised():  # noqa: N802 - a node
    pass


def run(workspace: Path, *nodes, jobs: int = 1) -> CheckedRunner:
    pipeline = Pipeline(
        pipeline_name=PIPELINE_NAME,
        pipeline_root=str(workspace / "artifacts"),
        components=list(nodes),
        enable_cache=True,
        metadata_connection_config=metadata.sqlite_metadata_connection_config(
            str(workspace / "metadata" / "metadata.db")
        ),
    )
    runner = CheckedRunner(load_settings(None, [f"run.jobs={jobs}"]), workspace, verbose=False)
    runner.run(pipeline)
    return runner


def test_a_successful_run_has_states_times_and_outputs(tmp_path, capfd):
    producer = Producer()
    outcome = run(tmp_path, producer, Consumer(model=producer.outputs["model"])).outcome
    assert {name: state.state for name, state in outcome.nodes.items()} == {
        "Producer": "COMPLETE",
        "Consumer": "COMPLETE",
    }
    assert [usage.node for usage in outcome.usages] == ["Producer", "Consumer"]
    assert outcome.usages[0].seconds > 0
    assert outcome.nodes["Producer"].outputs["model"][0].type == "Model"
    printed = capfd.readouterr().out
    heading, told = printed.splitlines()
    assert heading == f"2 nodes; the full log is {outcome.log_file}"
    assert re.fullmatch(r"Producer \d\.\d s \(producing 1\), Consumer \d\.\d s", told)
    assert "chatter" not in printed
    assert "chatter of a library" in outcome.log_file.read_text()


def test_a_repeated_run_is_cached(tmp_path):
    run(tmp_path, Producer())
    outcome = run(tmp_path, Producer()).outcome
    assert outcome.nodes["Producer"].state == "CACHED"
    assert outcome.usages[0].cached


def test_a_node_whose_inputs_were_not_produced_fails_the_run(tmp_path):
    nobody = Channel(type=standard_artifacts.Model, producer_component_id=None)
    with pytest.raises(RunError, match=r"^Consumer failed: .*inputs were not produced"):
        run(tmp_path, Consumer(model=nobody))


def test_tfx_alone_would_not_fail_without_the_inputs(tmp_path):
    nobody = Channel(type=standard_artifacts.Model)
    pipeline = Pipeline(
        pipeline_name=PIPELINE_NAME,
        pipeline_root=str(tmp_path / "artifacts"),
        components=[Consumer(model=nobody)],
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(tmp_path / "m" / "metadata.db")),
    )
    LocalDagRunner().run(pipeline)


def test_an_expected_error_is_reported_with_node_cause_and_log(tmp_path, capfd):
    with pytest.raises(RunError) as raised:
        run(tmp_path, Producer(), Broken())
    message = str(raised.value)
    log = next((tmp_path / "logs").iterdir())
    assert message == (
        f"Broken failed: the data is bad; mend it\nThe full log is {log}. Fix the cause and run the same command "
        "again; it resumes at Broken."
    )
    assert re.search(r"\nBroken \d\.\d s \(did not finish\), Producer \d\.\d s ", capfd.readouterr().out)
    assert "Traceback" in log.read_text()


def test_an_unexpected_error_is_reported_with_its_type_and_first_line(tmp_path):
    with pytest.raises(RunError, match=r"^Surprising failed: ValueError: first line\nUnexpected error; see the end"):
        run(tmp_path, Surprising())


def test_a_full_disk_is_named_with_what_it_lacks(tmp_path):
    with pytest.raises(
        RunError, match=r"^Filling failed: the disk of .* has .* MB left of .*; a first run needs about 84 MB"
    ):
        run(tmp_path, Filling(folder="x"))


def test_a_disk_that_is_too_small_is_named_before_the_first_node(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.running.space._BASE_BYTES", 10**15)
    with pytest.raises(
        RunError, match=r"^the disk of .* has .* MB left of .*; a first run needs at least 1000000064 MB"
    ):
        run(tmp_path, Producer())
    (tmp_path / "logs").mkdir()
    assert run(tmp_path, Producer()).outcome


def test_a_run_of_many_nodes_prints_few_lines_in_a_pipe(tmp_path, capfd):
    run(tmp_path, *(Surprised().with_id(f"Surprised.{number}") for number in range(40)))
    printed = capfd.readouterr().out
    assert len(printed.splitlines()) <= RUN_LINES
    assert printed.count("Surprised.") == 40


def test_a_run_that_failed_leaves_a_record(tmp_path):
    with pytest.raises(RunError) as raised:
        run(tmp_path, Broken())
    (file,) = tmp_path.glob("reports/*/failure.json")
    record = json.loads(file.read_text())
    assert record["run_id"].replace(":", "-") == file.parent.name
    assert record["error"] == str(raised.value)
    assert record["settings"]["training.seed"] == 1
    assert [(node["node"], node["state"]) for node in record["nodes"]] == [("Broken", "FAILED")]


def test_a_run_records_what_each_node_waits_for(tmp_path):
    producer = Producer()
    outcome = run(tmp_path, producer, Consumer(model=producer.outputs["model"])).outcome
    assert outcome.upstream == {"Producer": [], "Consumer": ["Producer"]}


def test_a_page_that_cannot_be_drawn_does_not_fail_the_run(tmp_path):
    outcome = run(tmp_path, Producer()).outcome
    unknown = dataclasses.replace(outcome, run_id="no such run")
    assert draw_page(unknown).startswith("could not be drawn (RunError: no run 'no such run'")
    assert draw_page(outcome).endswith("index.html")


@component
def Slow(folder: Parameter[str], model: OutputArtifact[standard_artifacts.Model]):  # noqa: N802 - a node
    """Ends when as many of these run as `folder` is named after."""
    assert model
    place = Path(folder)
    (place / str(os.getpid())).touch()
    for _ in range(400):
        if len(list(place.iterdir())) >= int(place.name):
            return
        time.sleep(0.05)
    raise AssertionError("the other nodes do not run")


def test_nodes_run_side_by_side_in_processes_of_their_own(tmp_path):
    together = tmp_path / "3"
    together.mkdir()
    nodes = [Slow(folder=str(together)).with_id(f"Slow.{name}") for name in "abc"]
    outcome = run(tmp_path, *nodes, jobs=3).outcome
    assert len(list(together.iterdir())) == 3
    assert str(os.getpid()) not in [file.name for file in together.iterdir()]
    assert {node.state for node in outcome.nodes.values()} == {"COMPLETE"}
    assert outcome.peak_megabytes > 0


def test_what_does_not_depend_on_a_failed_node_finishes(tmp_path):
    producer, broken = Producer(), Broken()
    consumer, waiting = Consumer(model=producer.outputs["model"]), Surprised()
    waiting.add_upstream_node(broken)
    with pytest.raises(RunError, match=r"^Broken failed: the data is bad; mend it\n"):
        run(tmp_path, broken, producer, consumer, waiting, jobs=2)
    (file,) = tmp_path.glob("reports/*/failure.json")
    assert {node["node"]: node["state"] for node in json.loads(file.read_text())["nodes"]} == {
        "Broken": "FAILED",
        "Producer": "COMPLETE",
        "Consumer": "COMPLETE",
        "Surprised": "NOT RUN",
    }


def test_all_nodes_that_failed_are_named(tmp_path):
    with pytest.raises(RunError, match=r"(?s)^Broken failed: .*Surprising failed too: ValueError: first line"):
        run(tmp_path, Broken(), Surprising(), jobs=1)


def test_a_node_whose_process_is_killed_fails_with_what_to_do(tmp_path):
    with pytest.raises(RunError, match=r"^Killed failed: its process was killed"):
        run(tmp_path, Killed())
    assert run(tmp_path, Producer()).outcome


@component
def Killed():  # noqa: N802 - a node
    os.kill(os.getpid(), signal.SIGKILL)


@component
def Devices(folder: Parameter[str]):  # noqa: N802 - a node
    Path(folder, str(os.getpid())).write_text(os.environ["CUDA_VISIBLE_DEVICES"])


@pytest.mark.parametrize("jobs", [1, 3])
def test_trainers_share_the_gpus_equally_for_any_jobs_and_the_tuner_has_all(tmp_path, monkeypatch, jobs):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    nodes = []
    for name in ("Trainer.scalar", "Trainer.vector", "Tuner", "Other"):
        (tmp_path / name).mkdir()
        nodes.append(Devices(folder=str(tmp_path / name)).with_id(name))
    for trainer in nodes[:2]:
        trainer.add_upstream_node(nodes[2])
    run(tmp_path, *nodes, jobs=jobs)
    given = {node.id: next((tmp_path / node.id).iterdir()).read_text() for node in nodes}
    assert len(given["Trainer.scalar"].split(",")) == len(given["Trainer.vector"].split(",")) == 2
    assert sorted(given["Tuner"].split(",")) == ["0", "1", "2", "3"]
    assert given["Other"] == "-1"


def test_a_partial_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="partial runs are not supported"):
        CheckedRunner(load_settings(), tmp_path, verbose=False).run_with_ir(None, run_options=object())
