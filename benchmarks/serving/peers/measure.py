"""Measures our server's REST API and the peers under the same load: many HTTP clients, one review per request."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import httpx
import numpy as np
import numpy.typing as npt
import psutil

from benchmarks.serving.measure import MOST_CLIENTS, ServingSetup, Workload, loaded_row, served
from benchmarks.serving.peers.http_load import http_closed_loop, serialized_request
from benchmarks.serving.peers.launching import PEERS, launched_peer
from benchmarks.serving.texts import SHORT, reviews_of
from imdb_core import signatures
from imdb_core.connections import trusts_environment
from imdb_core.errors import RunError
from imdb_core.file_names import DEFAULT_MODEL

_CHECKED: Final = 3
_TOLERANCE: Final = 1e-5
_TIMEOUT: Final = 60.0

_Probabilities = npt.NDArray[np.float64]


class _Api(NamedTuple):
    """How a running server is asked about one review."""

    server: str  # name and version
    address: str
    path: str
    process: psutil.Process
    body: Callable[[str], dict[str, Any]]
    probabilities: Callable[[Any], list[float]]  # from a response


def peer_rows(setup: ServingSetup, seconds: float, words: Sequence[int]) -> list[dict[str, Any]]:
    """Measures our REST API, then each peer that has an environment, with reviews of each number of words.

    Returns:
        JSON with a row for each server and number of words; CPU times are in microseconds per request, the server's
        with those of all its processes.

    Raises:
        RunError: A peer did not start, its probabilities differ from ours, or no request succeeded.
    """
    with _ours(setup) as api:
        expected = _answers(api)
        rows = [_row(api, count, seconds) for count in words]
    for peer in PEERS:
        if not peer.python.exists():
            continue
        with launched_peer(peer.command(setup.model), setup.cores.server) as running:
            api = _Api(
                f"{peer.title} {peer.version()}",
                running.address,
                peer.path,
                running.process,
                lambda text: {"text": text},
                lambda answer: list(answer["probabilities"]),
            )
            _check(api, expected)
            rows += [_row(api, count, seconds) for count in words]
    return rows


@contextmanager
def _ours(setup: ServingSetup) -> Iterator[_Api]:
    with served(setup) as (server, _):
        assert server.rest  # noqa: S101 - `served` starts the REST API too
        yield _Api(
            "this server, REST",
            server.rest,
            f"/v1/models/{DEFAULT_MODEL}:predict",
            psutil.Process(server.process.pid),
            lambda text: {"signature_name": signatures.SERVE_TEXT, "instances": [text]},
            lambda answer: list(answer["predictions"][0][signatures.PROBABILITIES]),
        )


def _answers(api: _Api) -> _Probabilities:
    """Asks about a few reviews, one after the other."""
    found = []
    base = httpx.URL(f"http://{api.address}")
    with httpx.Client(base_url=base, trust_env=trusts_environment(base.host), timeout=_TIMEOUT) as client:
        for text in reviews_of(SHORT, _CHECKED):
            response = client.post(api.path, json=api.body(text.decode()))
            if response.is_error:
                raise RunError(f"{api.server} answered with status {response.status_code}: {response.text}")
            found.append(api.probabilities(response.json()))
    return np.array(found)


def _check(api: _Api, expected: _Probabilities) -> None:
    found = _answers(api)
    if found.shape != expected.shape or not np.allclose(found, expected, rtol=0.0, atol=_TOLERANCE):
        raise RunError(f"{api.server} answers {found.tolist()} where this server answers {expected.tolist()}")


def _row(api: _Api, words: int, seconds: float) -> dict[str, Any]:
    requests = [
        serialized_request(api.address, api.path, json.dumps(api.body(text.decode())).encode())
        for text in reviews_of(words)
    ]
    load = Workload(words, 1, MOST_CLIENTS)
    row = loaded_row(
        lambda duration: http_closed_loop(api.address, requests, MOST_CLIENTS, duration), api.process, load, seconds
    )
    return {"server": api.server, **row}
