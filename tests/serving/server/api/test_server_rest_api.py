from __future__ import annotations

import gzip
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from contract_models import HALF, HURT, SUM
from prometheus_client.parser import text_string_to_metric_families
from running_server import RunningServer, running_server
from tiny_models import write_half_plus_two

pytestmark = pytest.mark.slow

METRICS = "/monitoring/prometheus/metrics"


@pytest.fixture(scope="module")
def client(contract_server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=contract_server.url, timeout=30) as opened:
        yield opened


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        (f"{HALF}:predict", {"instances": [1.0, 2.0]}, {"predictions": [4.5, 5.0]}),
        (f"{HALF}:predict", {"inputs": {"x": [1.0, 2.0]}}, {"outputs": [4.5, 5.0]}),
        (f"{HALF}/versions/0:predict", {"instances": [{"x": 1.0}]}, {"predictions": [2.5]}),
        (f"{HALF}/labels/stable:predict", {"instances": [1.0]}, {"predictions": [3.5]}),
        (f"{HALF}:predict", {"signature_name": "serving_default", "instances": [1.0]}, {"predictions": [4.5]}),
        (f"{SUM}:predict", {"instances": [{"a": 1.0, "b": 2.0}]}, {"predictions": [3.0]}),
        (f"{SUM}:predict", {"inputs": {"a": [1.0], "b": [2.0]}}, {"outputs": [3.0]}),
        (
            f"{HALF}:predict",
            {"signature_name": "serve_text", "instances": ["", {"b64": "/w=="}]},
            {
                "predictions": [
                    {"label": "negative", "probabilities": [0.9975274, 0.0024726230]},
                    {"label": "negative", "probabilities": [0.99592984, 0.0040701376]},
                ]
            },
        ),
        (
            f"{HALF}/versions/0:regress",
            {"signature_name": "regress", "examples": [{"x": 4.0}, {"x": [6.0]}]},
            {"results": [4.0, 5.0]},
        ),
        (
            f"{HALF}/versions/0:regress",
            {"signature_name": "regress", "context": {"x": 8.0}, "examples": [{}, {}]},
            {"results": [6.0, 6.0]},
        ),
        (
            f"{HALF}/versions/0:classify",
            {"signature_name": "classify", "examples": [{"x": 16.0}]},
            {"results": [[["negative", 0.5], ["positive", 0.5]]]},
        ),
    ],
)
def test_a_model_answers(client: httpx.Client, path: str, body: dict[str, Any], expected: dict[str, Any]) -> None:
    response = client.post(f"/v1/models/{path}", json=body)
    assert response.headers["content-type"] == "application/json"
    assert (response.status_code, response.json()) == (200, _approximately(expected))


def _approximately(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _approximately(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_approximately(item) for item in value]
    return pytest.approx(value, rel=1e-5) if isinstance(value, float) else value


ROWS: list[tuple[str, str, str, bytes, int, str]] = [
    # case, method, path, body, status, error
    (
        "unknown model",
        "POST",
        "/v1/models/x:predict",
        b'{"instances": [1]}',
        404,
        "Servable not found for request: Latest(x)",
    ),
    (
        "unknown version",
        "POST",
        f"/v1/models/{HALF}/versions/7:predict",
        b'{"instances": [1]}',
        404,
        f"Servable not found for request: Specific({HALF}, 7)",
    ),
    (
        "unknown label",
        "POST",
        f"/v1/models/{HALF}/labels/beta:predict",
        b'{"instances": [1]}',
        400,
        "Unrecognized servable version label: beta",
    ),
    (
        "version that is no int64",
        "POST",
        f"/v1/models/{HALF}/versions/18446744073709551615:predict",
        b'{"instances": [1]}',
        400,
        "Failed to convert version: 18446744073709551615 to numeric.",
    ),
    (
        "predict: unknown signature",
        "POST",
        f"/v1/models/{HALF}:predict",
        b'{"signature_name": "X", "instances": [1]}',
        400,
        'Serving signature name: "X" not found in signature def',
    ),
    (
        "classify: unknown signature",
        "POST",
        f"/v1/models/{HALF}:classify",
        b'{"signature_name": "X", "examples": [{}]}',
        400,
        "No signature was found with the name: X",
    ),
    (
        "regress: wrong signature",
        "POST",
        f"/v1/models/{HALF}:regress",
        b'{"signature_name": "classify", "examples": [{}]}',
        400,
        "Expected one output Tensor.",
    ),
    ("empty body", "POST", f"/v1/models/{HALF}:predict", b"", 400, "JSON Parse error: The document is empty"),
    ("no input", "POST", f"/v1/models/{HALF}:predict", b"{}", 400, "Missing 'inputs' or 'instances' key"),
    (
        "no examples",
        "POST",
        f"/v1/models/{HALF}:classify",
        b'{"instances": [1]}',
        400,
        'JSON Value: {\n    "instances": [\n        1\n    ]\n} When method is classify, '
        "key 'examples' is expected and "
        "was not found",
    ),
    (
        "wrong type",
        "POST",
        f"/v1/models/{HALF}:predict",
        b'{"instances": ["a"]}',
        400,
        "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: JSON Value: \"a\" Type: String is "
        "not of expected type: float",
    ),
    ("unknown path", "GET", "/v1/foo", b"", 400, "Malformed request: GET /v1/foo"),
    ("unknown path", "POST", "/v1/foo", b"", 400, "Malformed request: POST /v1/foo"),
    ("no call", "POST", f"/v1/models/{HALF}", b"{}", 400, f"Malformed request: POST /v1/models/{HALF}"),
    (
        "no MultiInference",
        "POST",
        f"/v1/models/{HALF}:multi_inference",
        b"{}",
        400,
        f"Malformed request: POST /v1/models/{HALF}:multi_inference",
    ),
    (
        "GET of a call",
        "GET",
        f"/v1/models/{HALF}:predict",
        b"",
        400,
        f"Malformed request: GET /v1/models/{HALF}:predict",
    ),
    (
        "a version that is no number",
        "POST",
        f"/v1/models/{HALF}/versions/one:predict",
        b"{}",
        400,
        f"Malformed request: POST /v1/models/{HALF}/versions/one:predict",
    ),
    ("another method", "DELETE", f"/v1/models/{HALF}", b"", 400, f"Malformed request: DELETE /v1/models/{HALF}"),
    ("no model", "GET", "/v1/models", b"", 400, "Missing model name in request."),
    ("status of an unknown model", "GET", "/v1/models/x", b"", 404, "Could not find any versions of model x"),
    (
        "status of an unknown version",
        "GET",
        f"/v1/models/{HALF}/versions/7",
        b"",
        404,
        f"Could not find version 7 of model {HALF}",
    ),
    (
        "metadata of an unknown model",
        "GET",
        "/v1/models/x/metadata",
        b"",
        404,
        "Servable not found for request: Latest(x)",
    ),
]


@pytest.mark.parametrize(("request_", "status", "error"), [pytest.param(row[1:4], *row[4:], id=row[0]) for row in ROWS])
def test_invalid_requests_get_the_contracts_status_and_message(
    client: httpx.Client, request_: tuple[str, str, bytes], status: int, error: str
) -> None:
    method, path, body = request_
    response = client.request(method, path, content=body)
    assert response.headers["content-type"] == "application/json"
    assert (response.status_code, response.json()) == (status, {"error": error})


def test_status_reports_all_versions_or_one(client: httpx.Client) -> None:
    available = {"state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    everything = client.get(f"/v1/models/{HALF}").json()
    assert everything == {"model_version_status": [{"version": str(version), **available} for version in (2, 1, 0)]}
    for path in ("versions/1", "Versions/1"):
        one = client.get(f"/v1/models/{HALF}/{path}").json()
        assert one == {"model_version_status": [{"version": "1", **available}]}
    broken = client.get(f"/v1/models/{HURT}/versions/2").json()["model_version_status"][0]
    assert (broken["state"], broken["status"]["error_code"]) == ("END", "FAILED_PRECONDITION")


def test_metadata_describes_the_signatures(client: httpx.Client) -> None:
    body = client.get(f"/v1/models/{HALF}/labels/stable/metadata").json()
    assert body["model_spec"] == {"name": HALF, "signature_name": "", "version": "1"}
    x = body["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"]["x"]
    assert (x["dtype"], x["tensor_shape"]["dim"]) == ("DT_FLOAT", [{"size": "-1", "name": ""}])


def test_names_may_be_percent_encoded(client: httpx.Client) -> None:
    quoted = "".join(f"%{ord(letter):x}" for letter in HALF)
    assert client.get(f"/v1/models/{quoted}").status_code == 200


def test_both_apis_give_the_same_metrics(client: httpx.Client) -> None:
    def counted(**labels: str) -> float:
        page = client.get(METRICS)
        assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
        return sum(
            sample.value
            for family in text_string_to_metric_families(page.text)
            for sample in family.samples
            if sample.name.startswith(":tensorflow:serving:request_")
            and sample.name.endswith(("_count", "_total"))
            and labels.items() <= sample.labels.items()
        )

    before = counted(model_name=SUM, status="OK"), counted(model_name=SUM, entrypoint="REST", API="predict")
    client.post(f"/v1/models/{SUM}:predict", json={"instances": [{"a": 1, "b": 2}]})
    after = counted(model_name=SUM, status="OK"), counted(model_name=SUM, entrypoint="REST", API="predict")
    assert (before[0] + 1, before[1] + 1) == after


def test_a_connection_stays_open_after_an_error(contract_server: RunningServer) -> None:
    request = b"GET /v1/foo HTTP/1.1\r\nHost: a\r\n\r\n"
    with socket.create_connection(("127.0.0.1", contract_server.rest_port or 0), timeout=10) as connection:
        for _ in range(2):
            connection.sendall(request)
            answer = b""
            while not answer.endswith(b'"}'):
                answer += connection.recv(4096)
            assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_gzip_body_is_read(client: httpx.Client) -> None:
    body = gzip.compress(b'{"instances": [1.0, 2.0]}')
    packed = {"Content-Encoding": "gzip"}
    response = client.post(f"/v1/models/{HALF}:predict", content=body, headers=packed)
    assert (response.status_code, response.json()) == (200, {"predictions": [4.5, 5.0]})
    bomb = gzip.compress(b" " * 2**26)
    assert len(bomb) < 2**17
    response = client.post(f"/v1/models/{HALF}:predict", content=bomb, headers=packed)
    assert (response.status_code, response.json()) == (413, {"error": "Request body is larger than 33554432 bytes"})
    response = client.post(f"/v1/models/{HALF}:predict", content=body, headers={"Content-Encoding": "br"})
    assert response.status_code == 415
    assert client.get(f"/v1/models/{HALF}").status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PUT"])
@pytest.mark.parametrize("path", ["/favicon.ico", "/v2/models/x", "/v1", "/v1models", "/models/x:predict"])
def test_paths_outside_the_api_are_not_found(client: httpx.Client, method: str, path: str) -> None:
    response = client.request(method, path, content=b"{}")
    assert response.status_code == 404
    assert response.json() == {"error": f"Not found: {method} {path}; the models are at /v1/models"}


def test_without_cors_no_answer_allows_other_pages(client: httpx.Client) -> None:
    path = f"/v1/models/{HALF}:predict"
    allowed = client.options(path, headers={"Origin": "https://example.org"})
    assert (allowed.status_code, allowed.content) == (200, b"")
    refused = client.options(path)
    assert (refused.status_code, refused.json()) == (400, {"error": "Origin header is missing in CORS preflight"})
    answers = (allowed, refused, client.get(path), client.get(f"/v1/models/{HALF}"))
    assert not any("access-control-allow-origin" in answer.headers for answer in answers)


def test_with_cors_every_answer_allows_other_pages(tmp_path: Path) -> None:
    write_half_plus_two(tmp_path / "m" / "1")
    with running_server(f"--model_base_path={tmp_path / 'm'}", "--rest_api_enable_cors_support") as server:
        path = f"{server.url}/v1/models/default"
        answers = [
            httpx.options(f"{path}:predict", headers={"Origin": "https://example.org"}),
            httpx.post(f"{path}:predict", json={"instances": [1.0]}),
            httpx.post(f"{path}:predict", content=b"x"),
            httpx.get(path),
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 400, 200]
    for answer in answers:
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["access-control-allow-methods"] == "POST, GET"
        assert answer.headers["access-control-allow-headers"] == "Content-Type"
