import json
import subprocess
import sys

import pytest
import tensorflow as tf

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
    options = ["--model", model, "--seconds", "0.2", "--soak", "3", "--swap", "1", "--reviews", "1,4", "--out", out]
    subprocess.run([*command, *options], check=True, capture_output=True)

    measured = json.loads(out.read_text())
    assert [(row["reviews_per_request"], row["clients"]) for row in measured["server"]] == [
        (size, clients) for size in (1, 4) for clients in (1, 8, 64)
    ]
    assert all(row["requests"] > 0 and row["failures"] == {} for row in measured["server"])
    assert all(row["server_cpu_us"] > 0 and row["client_cpu_us"] > 0 for row in measured["server"])
    empty = measured["without_model"]
    assert (empty["clients"], empty["failures"]) == (64, {})
    assert empty["requests"] > 0
    assert empty["server_cpu_us"] > 0
    assert measured["soak"]["failures"] == {}
    assert 1 < measured["soak"]["last_version_that_answered"] <= measured["soak"]["versions"]

    rendered = subprocess.run([*command, "results", out], check=True, capture_output=True, text=True).stdout
    assert rendered.startswith("## Serving, ")
    assert "| p50 at one client, ratio to the best in-process |" in rendered
    alone = measured["in_process"]
    assert alone["best_rate"] == max(rate for found in alone["sessions"].values() for rate in found["rates"].values())
    assert alone["p50_ms"] == min(found["p50_ms"] for found in alone["sessions"].values())
