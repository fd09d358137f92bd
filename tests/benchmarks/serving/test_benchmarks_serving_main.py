import json
import os
import subprocess
import sys

import pytest
import tensorflow as tf
from click.testing import CliRunner

from benchmarks.serving.__main__ import main
from benchmarks.serving.measure import WORKLOADS
from benchmarks.serving.pinning import Cores

pytestmark = pytest.mark.slow


class Texts(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def serve_text(self, text):
        positive = tf.sigmoid(tf.cast(tf.strings.length(text), tf.float32) / 1000.0)
        return {"probabilities": tf.stack([1.0 - positive, positive], axis=1)}


def test_a_small_run_measures_all_and_renders(tmp_path):
    model, out = tmp_path / "model", tmp_path / "record.json"
    module = Texts()
    tf.saved_model.save(module, str(model), signatures={"serve_text": module.serve_text})
    command = [sys.executable, "-m", "benchmarks.serving"]
    options = ["--model", model, "--rounds", "2", "--seconds", "0.1", "--soak", "3", "--swap", "1", "--out", out]
    subprocess.run([*command, *options], check=True, capture_output=True)

    measured = json.loads(out.read_text())
    assert len(measured["rounds"]) == 2
    for one in measured["rounds"]:
        rows = one["server"]
        assert [(row["words"], row["reviews_per_request"], row["clients"]) for row in rows] == [
            tuple(load) for load in WORKLOADS
        ]
        assert all(row["requests"] > 0 and row["failures"] == {} for row in rows)
        assert all(row["reviews_per_request"] <= row["rows_per_batch"] <= 128 for row in rows)
        assert all(row["queued_ms"] > 0 and row["run_ms"] > 0 for row in rows)
        empty = one["without_model"]
        assert (empty["clients"], empty["failures"]) == (64, {})
        assert empty["requests"] > 0
        assert list(one["in_process"]) == ["200", "20"]
        for alone in one["in_process"].values():
            assert all(rate > 0 for rate in alone["rates"].values())
            assert 0 < alone["p50_ms"] <= alone["p99_ms"]
    # The system counts CPU time in hundredths of a second, more than some of these rows take.
    for name in ("server_cpu_us", "client_cpu_us"):
        assert sum(row[name] for one in measured["rounds"] for row in one["server"]) > 0
    assert all(spent > 0 for spent in measured["parts"].values())
    assert measured["soak"]["failures"] == {}
    assert 1 < measured["soak"]["last_version_that_answered"] <= measured["soak"]["versions"]

    rendered = subprocess.run([*command, "results", out], check=True, capture_output=True, text=True).stdout
    assert rendered.startswith("## Serving, ")
    assert "| p50 of a review of 10 words, one client, ratio to that of 200 words |" in rendered


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no process")
def test_peers_are_measured_if_asked_for_and_missing_ones_are_named(tmp_path, monkeypatch):
    rows = [{"server": "this server, REST"}]
    monkeypatch.setattr(
        "benchmarks.serving.pinning.Cores.first_two", lambda: Cores(*[min(os.sched_getaffinity(0))] * 2)
    )
    monkeypatch.setattr("benchmarks.serving.measure.rounds", lambda *_: [])
    monkeypatch.setattr("benchmarks.serving.measure.parts_of_a_request", lambda *_: {})
    monkeypatch.setattr("benchmarks.serving.peers.measure.peer_rows", lambda *_: rows)
    monkeypatch.setattr("benchmarks.serving.peers.launching._ENVIRONMENTS", tmp_path)
    monkeypatch.setattr("benchmarks.serving.tables.all_tables", lambda _: ())
    options = ["--model", str(tmp_path), "--soak", "0", "--out", str(tmp_path / "record.json")]

    done = CliRunner().invoke(main, options, catch_exceptions=False)
    assert "peers" not in json.loads((tmp_path / "record.json").read_text())
    assert "left out" not in done.output

    done = CliRunner().invoke(main, [*options, "--peers"], catch_exceptions=False)
    assert json.loads((tmp_path / "record.json").read_text())["peers"] == rows
    for title in ("Ray Serve", "LitServe"):
        assert f"{title} is left out: `make bench-serving` makes its environment." in done.output


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no process")
def test_on_one_core_it_says_that_it_needs_two(tmp_path):
    command = [sys.executable, "-m", "benchmarks.serving", "--model", tmp_path]
    core = min(os.sched_getaffinity(0))
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    assert done.returncode != 0
    assert "two cores or more" in done.stderr
    assert "Traceback" not in done.stderr
