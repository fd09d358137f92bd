"""Whole runs on other sources: one that is killed, and one that downloads its data."""

import contextlib
import csv
import functools
import hashlib
import http.server
import io
import os
import re
import signal
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from sample_project import TFX_RUN, TO_WINNER, UPSTREAM, Project

from components.example_gen.sample.generate import sample_review
from serving.runtime.cpp_loader import CppSavedModel

pytestmark = pytest.mark.e2e


def write_csv(path: Path, train: int, test: int) -> None:
    """Writes the sample's reviews the way a user would have them."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label", "split", "rating"])
        for split, number in (("train", train), ("test", test)):
            for index in range(number):
                review = sample_review(split, index, 1)
                rows.writerow([review.text, ("neg", "pos")[review.label], split, review.rating])


def epochs(project: Project, node: str) -> list[str]:
    """The epochs of a Trainer in the log of the last run, such as `1/3`."""
    log = max(project.workspace.glob("logs/*.log"), key=lambda path: path.stat().st_mtime, default=None)
    return re.findall(rf": {re.escape(node)} epoch (\S+)", log.read_text()) if log else []


# What users have: none of it may matter.
HOSTILE = {
    "KERAS_BACKEND": "torch",
    "LC_ALL": "POSIX",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "TERM": "dumb",
    "HOME": "/proc",
    "http_proxy": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    "ALL_PROXY": "socks://127.0.0.1:9",
    "no_proxy": "",
}


def start(project: Project, temporary: Path, *settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        project.complete(TFX_RUN, ["data.source=reviews.csv", *settings]),
        cwd=project.root,
        env={**project.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(running: subprocess.Popen[str], found: Callable[[], Any]) -> Any:
    while not (answer := found()):
        assert running.poll() is None
        time.sleep(0.05)
    return answer


def servers_of(running: subprocess.Popen[str]) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(running.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            if "check-" in str(child.cmdline()):
                found.append(child)
    return found


def test_a_stopped_and_a_killed_run_continue_and_end_as_if_they_had_not_been(tmp_path, first):
    project = Project(tmp_path / "wörk [1] 100%").make()
    project.environ |= HOSTILE
    for name in ("serving", "components"):  # packages of others in the current folder
        (project.folder / name).mkdir()
        (project.folder / name / "__init__.py").touch()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    write_csv(project.root / "reviews.csv", train=600, test=200)
    with start(project, temporary) as running:
        wait_for(running, lambda: epochs(project, "Trainer.vector"))
        os.killpg(running.pid, signal.SIGKILL)
    assert running.returncode == -signal.SIGKILL

    with start(project, temporary, "run.jobs=1") as running:
        server, *_ = wait_for(running, lambda: servers_of(running))
        running.terminate()
        assert running.stderr
        said = running.stderr.read().splitlines()
    assert (running.returncode, said[-1]) == (143, "stopped by SIGTERM; the same command continues where it was")
    assert not server.is_running()
    assert list(temporary.iterdir()) == []
    assert epochs(project, "Trainer.vector") == ["2/3", "3/3"]

    record = project.succeed("data.source=reviews.csv", command=["imdb-attention", "run"])
    assert {"ServingCheck", "Pusher"} <= set(record["executed"])
    assert not set(record["executed"]) & {*UPSTREAM, "Transform", *TO_WINNER}
    # Same reviews, settings and seed, from a file, in another folder, in two pieces and with one node at a time: the
    # same figures.
    assert record["selection"] == first[0]["selection"]


def test_the_download_and_the_blog_preset_run_through(tmp_path, first):
    """`data.source=imdb` and `preset=blog`, from a server that has a small archive in the official layout."""
    del first
    project = Project(tmp_path / "project").make()
    archive = tmp_path / "aclImdb_v1.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for split, number in (("train", 300), ("test", 100)):
            for index in range(number):
                review = sample_review(split, index, 2)
                name = f"aclImdb/{split}/{('neg', 'pos')[review.label]}/{index}_{review.rating}.txt"
                header = tarfile.TarInfo(name)
                text = review.text.encode()
                header.size = len(text)
                tar.addfile(header, io.BytesIO(text))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        record = project.succeed(
            "preset=blog",
            "data.source=imdb",
            f"data.download_url=http://127.0.0.1:{server.server_port}/{archive.name}",
            f"data.download_sha256={hashlib.sha256(archive.read_bytes()).hexdigest()}",
            "training.epochs=1",
            "evaluation.min_accuracy=0",
            "evaluation.min_auc=0",
            "evaluation.max_log_loss=9",
        )
        server.shutdown()
    assert "downloading" in next(project.workspace.glob("logs/*.log")).read_text()
    assert record["ingest"]["examples"] == {
        "train": {"negative": 150, "positive": 150},
        "test": {"negative": 50, "positive": 50},
    }
    assert record["pushed"]["pushed"]
    # In scalar mode the blog's weights are all 1.
    model = CppSavedModel(record["pushed"]["path"])
    attention = model.run("explain", {"text": np.array(["a film"], dtype=object)})["attention"]
    expected = 1 if record["selection"]["winner"] == "scalar" else 1 / 16
    np.testing.assert_allclose(attention, expected, rtol=1e-5)
