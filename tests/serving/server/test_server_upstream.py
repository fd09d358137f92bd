"""TensorFlow Serving's own integration tests, unmodified, against our server.

They need a checkout of github.com/tensorflow/serving, such as tag 2.16.1, in the folder named by TFS_CHECKOUT:

    TFS_CHECKOUT=~/serving python -m pytest tests/serving/server/test_server_upstream.py
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("TFS_CHECKOUT" not in os.environ, reason="TFS_CHECKOUT names no checkout of tensorflow/serving"),
]

PROJECT = Path(__file__).parents[3]

# What the server does not have, by design.
OUT_OF_SCOPE = {
    "testPredictOnTfLite": "TensorFlow Lite",
    "testPredictWithSignatureDefOnTfLite": "TensorFlow Lite",
    "test_profiler_service_with_valid_trace_request": "the profiler's service",
    "test_tf_text": "the ops of TF Text",
    "test_distrat_sequential_keras_saved_model_save": "training on several devices",
}

# Makes the checkout's modules importable beside the installed tensorflow_serving, and runs its file as a script.
RUN = """
import runpy, sys, tensorflow_serving
tensorflow_serving.__path__.append(sys.argv.pop(1))
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_every_test_in_scope_passes(tmp_path: Path) -> None:
    checkout = Path(os.environ["TFS_CHECKOUT"]).expanduser().resolve() / "tensorflow_serving"
    file = checkout / "model_servers" / "tensorflow_model_server_test.py"
    everything = re.findall(r"^  def (test\w+)\(", file.read_text(encoding="utf-8"), re.MULTILINE)
    wanted = [name for name in everything if name not in OUT_OF_SCOPE]
    assert len(wanted) > 20

    root = tmp_path / "tf_serving" / "tensorflow_serving"
    server = root / "model_servers" / "tensorflow_model_server"
    server.parent.mkdir(parents=True)
    server.write_text(
        f'#!/bin/sh\ncd "{PROJECT}" && exec "{sys.executable}" -m serving.server "$@"\n', encoding="utf-8"
    )
    server.chmod(0o755)
    (root / "servables").symlink_to(checkout / "servables")

    ran = subprocess.run(
        [sys.executable, "-c", RUN, checkout, file, *(f"TensorflowModelServerTest.{name}" for name in wanted)],
        cwd=tmp_path,
        env={**os.environ, "TEST_SRCDIR": str(tmp_path), "TF_USE_LEGACY_KERAS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )

    passed = re.findall(r"^\[       OK \] TensorflowModelServerTest\.(\w+)$", ran.stdout, re.MULTILINE)
    assert sorted(wanted) == sorted(passed), ran.stdout[-20_000:]
    assert ran.returncode == 0
