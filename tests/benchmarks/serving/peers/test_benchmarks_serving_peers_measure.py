import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import tensorflow as tf

from benchmarks.serving.measure import ServingSetup
from benchmarks.serving.peers import measure
from benchmarks.serving.peers.launching import PEERS, Peer
from benchmarks.serving.pinning import Cores
from imdb_core.errors import RunError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no process"),
]

# Answers every review with the same probabilities, or with an error.
STAND_IN = """
import http.server, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        body = b'{"probabilities": [0.5, 0.5]}'
        self.send_response(int(sys.argv[1]))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f"Serving http://127.0.0.1:{server.server_port}", flush=True)
sys.stdin.read()
"""


class Texts(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def serve_text(self, text):
        positive = tf.sigmoid(tf.cast(tf.strings.length(text), tf.float32) / 1000.0)
        label = tf.where(positive > 0.5, "positive", "negative")
        return {"probabilities": tf.stack([1.0 - positive, positive], axis=1), "label": label}


@pytest.fixture
def setup(tmp_path: Path) -> ServingSetup:
    module = Texts()
    tf.saved_model.save(module, str(tmp_path / "model"), signatures={"serve_text": module.serve_text})
    cores = sorted(os.sched_getaffinity(0))
    return ServingSetup(tmp_path / "model", Cores(cores[0], cores[-1]), (), tmp_path)


@dataclass(frozen=True)
class StandIn(Peer):
    status: int

    @property
    def python(self) -> Path:
        return Path(sys.executable)

    def command(self, model: Path) -> list[str]:
        return [sys.executable, "-c", STAND_IN, str(self.status)]

    def version(self) -> str:
        return "1.0"


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.package)
def test_a_peer_answers_as_our_server_does_and_is_measured(peer, setup, monkeypatch):
    if not peer.python.exists():
        pytest.skip(f"`make bench-serving` makes the environment of {peer.title}")
    monkeypatch.setattr(measure, "PEERS", (peer,))
    rows = measure.peer_rows(setup, 1.0, (20,))
    assert [row["server"] for row in rows] == ["this server, REST", f"{peer.title} {peer.version()}"]
    for row in rows:
        assert (row["words"], row["reviews_per_request"], row["clients"]) == (20, 1, 64)
        assert row["requests"] > 0
        assert row["failures"] == {}
        assert 0 < row["p50_ms"] <= row["p99_ms"]
        assert row["server_cpu_us"] > 0
        assert row["client_cpu_us"] > 0


@pytest.mark.parametrize(
    ("status", "message"),
    [(200, r"Stand-in 1\.0 answers \[\[0\.5, 0\.5\]"), (500, r"Stand-in 1\.0 answered with status 500")],
)
def test_a_peer_that_answers_otherwise_is_refused(setup, monkeypatch, status, message):
    monkeypatch.setattr(measure, "PEERS", (StandIn("Stand-in", "stand_in", "/", status),))
    with pytest.raises(RunError, match=message):
        measure.peer_rows(setup, 0.2, (20,))


def test_a_peer_without_an_environment_is_left_out(setup, monkeypatch):
    monkeypatch.setattr(measure, "PEERS", (Peer("Nothing", "nothing", "/"),))
    rows = measure.peer_rows(setup, 0.2, (10, 20))
    assert [(row["server"], row["words"]) for row in rows] == [("this server, REST", 10), ("this server, REST", 20)]
