import json
import socket
from importlib import metadata

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from components.pusher.papers import sbom
from components.pusher.papers.sbom import software_bill

SHA256 = "ab" * 32


@pytest.fixture(scope="module")
def text():
    return software_bill("critic", "7", SHA256, made_at=1_700_000_000)


def test_it_follows_the_schema_of_cyclonedx(text):
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_it_lists_every_installed_package_once(text):
    parts = json.loads(text)["components"]
    names = {sbom._normalized(one.metadata["Name"]) for one in metadata.distributions()}
    # setuptools brings packages of its own, which another installed version hides.
    installed = {name: metadata.version(name) for name in names}
    assert {part["name"]: part["version"] for part in parts if part["type"] == "library"} == installed
    assert len({part["bom-ref"] for part in parts}) == len(parts) == len(installed) + 2
    beam = next(part for part in parts if part["name"] == "apache-beam")
    assert beam["purl"] == f"pkg:pypi/apache-beam@{metadata.version('apache-beam')}"


def test_the_model_is_made_with_all_of_them(text):
    bill = json.loads(text)
    model = bill["metadata"]["component"]
    assert (model["name"], model["version"], model["type"]) == ("critic", "7", "machine-learning-model")
    assert model["hashes"] == [{"alg": "SHA-256", "content": SHA256}]
    assert bill["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"
    needed = next(one["dependsOn"] for one in bill["dependencies"] if one["ref"] == model["bom-ref"])
    assert set(needed) == {part["bom-ref"] for part in bill["components"]}


def test_nearly_every_package_has_a_licence(text):
    parts = [part for part in json.loads(text)["components"] if part["type"] == "library"]
    assert sum("licenses" in part for part in parts) > 0.9 * len(parts)


def test_the_same_environment_gives_the_same_bill_without_a_network(text, monkeypatch):
    def refuse(*_):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert software_bill("critic", "7", SHA256, made_at=1_700_000_000) == text
    other = json.loads(software_bill("critic", "8", SHA256, made_at=1_700_000_000))
    assert other["serialNumber"] != json.loads(text)["serialNumber"]


def package(folder, described, **files):
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\n" + described)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content)
    return metadata.Distribution.at(folder)


@pytest.mark.parametrize(
    ("described", "licenses"),
    [
        ("License-Expression: MIT\nLicense: other\n", [{"license": {"id": "MIT"}}]),
        ("License-Expression: MIT OR Apache-2.0\n", [{"expression": "MIT OR Apache-2.0"}]),
        ("License: BSD of ours\n", [{"license": {"name": "BSD of ours"}}]),
        ("License: UNKNOWN\n", None),
        ("", None),
        (
            "License: " + "Permission is granted. " * 9 + "\nClassifier: License :: OSI Approved :: MIT License\n"
            "Classifier: License :: OSI Approved\n",
            [{"license": {"name": "MIT License"}}],
        ),
    ],
)
def test_a_licence_is_what_the_package_states(tmp_path, monkeypatch, described, licenses):
    one = package(tmp_path / "a-1.dist-info", f"Name: A.b_c\nVersion: 1\n{described}")
    monkeypatch.setattr(sbom.metadata, "distributions", lambda: [one, one])
    text = software_bill("critic", "7", SHA256, made_at=0)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    (part,) = [part for part in json.loads(text)["components"] if part["type"] == "library"]
    assert part["name"] == "a-b-c"
    assert part.get("licenses") == licenses
    assert "hashes" not in part


def test_the_archive_has_a_hash_where_the_installation_recorded_it(tmp_path, monkeypatch):
    origin = json.dumps({"url": "file:///a.whl", "archive_info": {"hashes": {"sha256": "cd" * 32}}})
    files = {"direct_url__json": origin, "RECORD": "a.py,,\n"}
    one = package(tmp_path / "a-1.dist-info", "Name: a\nVersion: 1\n", **files)
    monkeypatch.setattr(sbom.metadata, "distributions", lambda: [one])
    parts = json.loads(software_bill("critic", "7", SHA256, made_at=0))["components"]
    (part,) = [part for part in parts if part["type"] == "library"]
    assert part["hashes"] == [{"alg": "SHA-256", "content": "cd" * 32}]
    assert [one["name"] for one in part["properties"]] == ["imdb-attention:record:sha-256"]
