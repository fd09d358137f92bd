"""Serves a SavedModel's `serve_text` with LitServe; run by the Python of its own environment, with a model's folder.

It imports nothing of the project. Standard output gets one line, once a request has been answered: the address.
The program ends, with all its processes, when its standard input ends.
"""

import json
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from typing import Any, Final, TextIO

import litserve

_MAX_BATCH: Final = 128
_WAIT_SECONDS: Final = 0.005
_POLL_SECONDS: Final = 0.1


class _Classifier(litserve.LitAPI):
    """One worker, which answers requests in batches."""

    def __init__(self, folder: str) -> None:
        super().__init__(max_batch_size=_MAX_BATCH, batch_timeout=_WAIT_SECONDS)
        self._folder = folder

    def setup(self, device: str) -> None:
        """Loads the model, in the worker's process."""
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        self._constant = tf.constant
        self._model = tf.saved_model.load(self._folder)  # a signature does not keep its model alive
        self._signature = self._model.signatures["serve_text"]

    def decode_request(self, request: dict[str, str]) -> str:
        """Takes the text of a request."""
        return request["text"]

    def batch(self, inputs: list[str]) -> list[str]:
        """Leaves the texts a list."""
        return inputs

    def predict(self, x: list[str]) -> list[list[float]]:
        """Asks the model about a batch."""
        found: list[list[float]] = self._signature(text=self._constant(x))["probabilities"].numpy().tolist()
        return found

    def unbatch(self, output: list[list[float]]) -> list[list[float]]:
        """Leaves the rows a list."""
        return output

    def encode_response(self, output: list[float]) -> dict[str, Any]:
        """Makes a row of probabilities a response."""
        return {"probabilities": output}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _announce_and_follow(address: str, announcements: TextIO) -> None:
    """Prints the address once the server answers, and stops it as Ctrl-C does when standard input ends."""
    threading.Thread(target=_announce, args=(address, announcements), daemon=True).start()
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGINT)


def _announce(address: str, announcements: TextIO) -> None:
    body = json.dumps({"text": "a first request"}).encode()
    request = urllib.request.Request(f"{address}/predict", body, {"Content-Type": "application/json"})  # noqa: S310
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever proxy the environment names
    while True:
        try:
            with direct.open(request) as response:
                response.read()
        except (urllib.error.URLError, ConnectionError):
            time.sleep(_POLL_SECONDS)
        else:
            print(f"Serving {address}", file=announcements, flush=True)
            return


def main() -> None:
    """Serves until standard input ends."""
    # What LitServe prints goes to standard error.
    announcements = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    port = _free_port()
    # Its documentation recommends the fast queue from 100 requests per second.
    server = litserve.LitServer(_Classifier(sys.argv[1]), accelerator="cpu", devices=1, fast_queue=True)
    follower = threading.Thread(
        target=_announce_and_follow, args=(f"http://127.0.0.1:{port}", announcements), daemon=True
    )
    follower.start()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever starts this may have it ignored
    try:
        server.run(host="127.0.0.1", port=port, log_level="warning", generate_client_file=False, access_log=False)
    except KeyboardInterrupt:
        pass
    finally:
        for child in multiprocessing.active_children():
            child.kill()
    os._exit(0)  # its threads would keep the process alive


if __name__ == "__main__":
    main()
