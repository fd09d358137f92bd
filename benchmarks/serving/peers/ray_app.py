"""Serves a SavedModel's `serve_text` with Ray Serve; run by the Python of its own environment, with a model's folder.

It imports nothing of the project. Standard output gets one line, once a request has been answered: the address.
The program ends, with all its processes, when its standard input ends.
"""

import json
import os
import secrets
import socket
import sys
import tempfile
import urllib.request
from typing import Any, Final

import ray
from ray import serve
from starlette.requests import Request

_MAX_BATCH: Final = 128
_WAIT_SECONDS: Final = 0.005
_MAX_WAITING: Final = 256  # Ray's default of 5 would keep batches at 5
_OBJECT_STORE_BYTES: Final = 100 * 1024 * 1024  # least that Ray takes with room to spare; requests do not pass through


@serve.deployment(num_replicas=1, max_ongoing_requests=_MAX_WAITING)
class _Classifier:
    """One replica, which answers requests in batches."""

    def __init__(self, folder: str) -> None:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        self._constant = tf.constant
        self._model = tf.saved_model.load(folder)  # a signature does not keep its model alive
        self._signature = self._model.signatures["serve_text"]

    @serve.batch(max_batch_size=_MAX_BATCH, batch_wait_timeout_s=_WAIT_SECONDS)
    async def _probabilities(self, texts: list[str]) -> list[list[float]]:
        found: list[list[float]] = self._signature(text=self._constant(texts))["probabilities"].numpy().tolist()
        return found

    async def __call__(self, request: Request) -> dict[str, Any]:
        return {"probabilities": await self._probabilities((await request.json())["text"])}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Serves until standard input ends."""
    # What Ray prints goes to standard error.
    announcements = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    port = _free_port()
    # Ray would keep a token in the home folder.
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray's workers would give way to everything else on their core.
    os.environ.setdefault("RAY_worker_niceness", "0")
    with tempfile.TemporaryDirectory(prefix="ray-") as folder:
        ray.init(
            "local",  # never a cluster that already runs
            num_cpus=1,
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            _temp_dir=folder,
        )
        try:
            serve.start(http_options={"host": "127.0.0.1", "port": port})
            serve.run(
                _Classifier.bind(sys.argv[1]), logging_config={"log_level": "WARNING", "enable_access_log": False}
            )
            address = f"http://127.0.0.1:{port}"
            request = urllib.request.Request(address, json.dumps({"text": "a first request"}).encode())
            # Through no proxy, whatever the environment says.
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as response:
                response.read()
            print(f"Serving {address}", file=announcements, flush=True)
            sys.stdin.buffer.read()
        finally:
            serve.shutdown()
            ray.shutdown()


if __name__ == "__main__":
    main()
