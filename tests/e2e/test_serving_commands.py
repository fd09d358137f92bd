"""What the documents say of serving, asking and releasing, typed as it stands there; only the ports are other ones."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest
from google.protobuf import json_format
from sample_project import Project, guides
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

pytestmark = pytest.mark.e2e

GUIDES = guides()
READY = re.compile(r"grpc://(\S+?),? http://(\S+)$")


@dataclass
class Served:
    """A workspace with the versions that the first run pushed and a copy of it, and a server on it."""

    folder: Path
    environ: dict[str, str]
    versions: tuple[str, str]
    grpc: str
    rest: str

    def type(self, command: str, *more: str) -> str:
        done = subprocess.run(
            ["bash", "-c", " ".join([command, *more])],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, command: str) -> str:
        return self.type(command, f"--server {self.grpc}")


def all_from_readme(start: str) -> list[str]:
    """The commands of the documents that start so, without their comments."""
    lines = GUIDES.replace("\\\n  ", "").splitlines()
    return sorted({re.sub(r"\s+# .*", "", line) for line in lines if line.startswith(start)})


def from_readme(start: str) -> str:
    """The one command of the documents that starts so."""
    (command,) = all_from_readme(start)
    return command


@pytest.fixture(scope="module")
def served(project: Project, first: tuple, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    del first
    folder = tmp_path_factory.mktemp("served")
    version = project.versions()[0]
    models = folder / "workspace" / "models" / "imdb_attention"
    older, newer = version.name, str(int(version.name) + 1)
    for name in (older, newer):
        shutil.copytree(version, models / name)
    environ = {**project.readers_environ, "IMDB_WORKSPACE": str(folder / "workspace")}
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [*from_readme("imdb-attention serve").split(), "--port=0", "--rest_api_port=0"],
            cwd=folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            ready = READY.search(process.stdout.readline().strip())
            assert ready, (folder / "server.log").read_text()
            yield Served(folder, environ, (older, newer), ready[1], ready[2])
        finally:
            process.terminate()
            assert process.wait(60) == 0
            process.stdout.close()


def test_predict_answers_in_one_line(served):
    for command in all_from_readme('imdb-attention predict "'):
        printed = served.ask(command)
        assert len(printed.splitlines()) == 1
        assert re.search(r"\b(positive|negative)\b", printed)


def test_explain_shows_every_word_and_writes_a_page(served):
    command, with_effects = all_from_readme("imdb-attention explain")
    printed = served.ask(command)
    for word in ("funny", "charming", "boring"):
        assert word in printed
    assert len(served.ask(with_effects).splitlines()) == len(printed.splitlines())
    served.ask(f"{command} --html why.html")
    assert "charming" in (served.folder / "why.html").read_text()


def test_files_are_predicted_alike_by_the_server_and_by_beam(served):
    texts = ["A warm and funny film.", "Two hours of my life that nobody gives me back.", "", "É" * 500]
    (served.folder / "reviews.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    by_server, by_beam = (
        command
        for command in re.sub(r"\s+# .*", "", GUIDES, flags=re.MULTILINE).splitlines()
        if command.startswith("imdb-attention predict --input")
    )
    served.ask(by_server)
    output = served.folder / "predictions.jsonl"
    from_server = [json.loads(line) for line in output.read_text().splitlines()]
    output.unlink()
    assert by_beam == f"{by_server} --beam"
    served.type(by_beam)
    from_beam = [json.loads(line) for line in output.read_text().splitlines()]
    assert len(from_server) == len(from_beam) == len(texts)
    for one, other in zip(from_server, from_beam, strict=True):
        assert one["label"] == other["label"]
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-6)
        said = ("known_words", "unknown_words", "trained_on", "notice")
        assert [one[name] for name in said] == [other[name] for name in said]
    assert [one["notice"] for one in from_server] == [None, None, "empty", "no known word"]
    assert {one["trained_on"] for one in from_server} == {"sample"}


def test_the_python_example_runs(served, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", GUIDES, re.DOTALL)
    exec(code.replace("localhost:8500", served.grpc), {})  # noqa: S102 - the documents' own code
    assert re.search(r"\b(positive|negative)\b", capsys.readouterr().out)


def test_the_curl_example_is_answered(served):
    command = from_readme("curl").replace("localhost:8501", served.rest)
    if shutil.which("curl"):
        answer = json.loads(served.type(command))
    else:
        url, body = re.search(r"(http\S+) -d '(.*)'", command).groups()
        answer = httpx.post(url, content=body).json()
    (prediction,) = answer["predictions"]
    assert sum(prediction["probabilities"]) == pytest.approx(1, abs=1e-5)


def test_a_request_to_the_wrong_signature_is_told_the_right_one(served):
    answer = httpx.post(f"http://{served.rest}/v1/models/imdb_attention:predict", json={"instances": ["A film."]})
    assert answer.status_code == 400
    assert "no plain text; for texts set signature_name to serve_text" in answer.json()["error"]


def test_the_grpcurl_example_is_a_request_that_is_answered(served):
    """grpcurl comes from no registry that tests can use; what it sends is this JSON as a proto."""
    (body,) = re.findall(r"-d '(.*?)'", from_readme("grpcurl"))
    request = json_format.Parse(body, predict_pb2.PredictRequest())
    with grpc.insecure_channel(served.grpc) as channel:
        response = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=60)
    assert response.outputs["label"].string_val[0] in (b"positive", b"negative")


def test_a_version_is_signed_and_checked_as_the_documents_say(served):
    older, newer = served.versions
    for start in ("openssl ecparam", "openssl ec ", "imdb-attention models sign", "model_signing verify"):
        served.type(from_readme(start).replace("VERSION", older))
    verify = "imdb-attention models verify --require_signature KEY.pub"
    assert f"Version {older} is good." in served.type(verify, older)
    with pytest.raises(AssertionError, match="has no signature"):
        served.type(verify, newer)


def test_a_release_goes_from_canary_to_stable_and_back(served):
    older, newer = served.versions
    listed = from_readme("imdb-attention models list")
    assert newer in served.type(listed)
    verified = from_readme("imdb-attention models verify").replace("VERSION", older)
    assert f"Version {older} is good." in served.type(verified)
    shown = from_readme("imdb-attention models card").replace("VERSION", older)
    assert served.type(shown).startswith("# Model card: imdb_attention, version ")
    card = json.loads(served.type(shown, "--json"))
    assert {one["kind"]: one["sentences"] for one in card["limits"]} == dict.fromkeys(
        ("short texts", "negation", "sarcasm", "other languages"), 12
    )
    assert card["data"]["source"] == "sample"
    bill = json.loads(served.type(shown, "--sbom"))
    assert {"tensorflow", "tfx"} <= {part["name"] for part in bill["components"]}
    (served.folder / "reviews.jsonl").write_text(json.dumps({"text": "A warm and funny film."}) + "\n")

    promote = from_readme("imdb-attention models promote")
    assert f"-> {older}" in served.ask(promote.replace("VERSION", older))
    assert f"canary: none -> {newer}" in served.ask(promote.replace("VERSION", newer) + " --label canary")
    compared = served.ask(from_readme("imdb-attention models compare"))
    assert "agree" in compared.lower()
    assert f"{older} -> {newer}" in served.ask(promote.replace("VERSION", newer))
    predicted = json.loads(served.ask('imdb-attention predict --json "A warm and funny film."'))
    assert predicted["model_version"] == int(newer)
    assert f"{newer} -> {older}" in served.ask(from_readme("imdb-attention models rollback"))
    predicted = json.loads(served.ask('imdb-attention predict --json "A warm and funny film."'))
    assert predicted["model_version"] == int(older)
    served.type(from_readme("imdb-attention models prune"))
    assert older in served.type(listed)
