"""The client against the real server, by gRPC and by REST."""

from __future__ import annotations

import socket

import numpy as np
import pytest
import tensorflow as tf
from client_workspace import Workspace
from running_server import RunningServer

from imdb_core.errors import SettingsError
from serving.client import (
    TLS,
    Client,
    LabelNotFoundError,
    ModelNotFoundError,
    ServerUnavailableError,
    SignatureNotFoundError,
    TensorSpec,
    VersionStatus,
)

pytestmark = pytest.mark.slow

TEXTS = ["A warm and funny film", "", "Ünlü, ΟΣ<br />don't 🎬 \0 日本", "word " * 30, "half a pair \ud83c here"]


def in_process(workspace: Workspace, version: int, signature: str, texts: list[str]) -> dict[str, np.ndarray]:
    sent = [text.encode(errors="replace") for text in texts]
    outputs = getattr(workspace.versions[version], signature)(tf.constant(sent, tf.string))
    return {name: tensor.numpy() for name, tensor in outputs.items()}


def test_predictions_equal_those_of_the_model_in_process(target: str, workspace: Workspace) -> None:
    expected = in_process(workspace, 1, "serve_text", TEXTS)
    with Client(target) as client:
        predictions = client.predict(TEXTS)
    assert [prediction.text for prediction in predictions] == TEXTS
    assert [prediction.label for prediction in predictions] == [label.decode() for label in expected["label"]]
    for prediction, row in zip(predictions, expected["probabilities"], strict=True):
        assert list(prediction.probabilities) == ["negative", "positive"]
        np.testing.assert_allclose(list(prediction.probabilities.values()), row, atol=1e-6)
        assert prediction.probability == prediction.probabilities[prediction.label] == max(row_of(prediction))


def row_of(prediction) -> list[float]:
    return list(prediction.probabilities.values())


def test_explanations_equal_those_of_the_model_in_process_without_padding(target: str, workspace: Workspace) -> None:
    expected = in_process(workspace, 1, "explain", TEXTS)
    with Client(target) as client:
        explanations, predictions = client.explain(TEXTS), client.predict(TEXTS)
    for explanation, tokens, attention in zip(explanations, expected["tokens"], expected["attention"], strict=True):
        words = [token.decode() for token in tokens if token]
        assert list(explanation.tokens) == words
        np.testing.assert_allclose(explanation.attention, attention[: len(words)], atol=1e-6)
    assert list(explanations[0].tokens) == ["[START]", "a", "warm", "and", "funny", "film"]
    assert [explanation.probabilities for explanation in explanations] == [
        pytest.approx(prediction.probabilities, abs=1e-6) for prediction in predictions
    ]


def test_a_model_that_knows_its_words_says_so_of_each_review(target: str) -> None:
    texts = ["a film", "a zebra", "zzz", "?!", "a " * 20 + "zz"]
    with Client(target, "sample") as client:
        predicted, explained = client.predict(texts), client.explain(texts)
    for answers in (predicted, explained):
        assert {one.trained_on for one in answers} == {"sample"}
        assert [(one.known_words, one.unknown_words) for one in answers] == [(2, 0), (1, 1), (0, 1), (0, 0), (11, 1)]
        assert [one.notice for one in answers] == [None, None, "no known word", "empty", None]
    assert [one.known for one in explained[:2]] == [(True, True, True), (True, True, False)]
    with Client(target) as client:
        (old,) = client.explain(["zzz"])
    assert (old.known, old.known_words, old.trained_on, old.notice) == (None, None, None, None)


def test_the_effect_of_a_word_is_the_difference_that_it_makes(target: str) -> None:
    long = " ".join(f"word{number}" for number in range(150))
    with Client(target, batch_size=100) as client:
        short, empty, many = client.explain(["A warm and funny film", "", long], effects=True)
        whole, *without = (
            one.probabilities["positive"]
            for one in client.predict(
                ["A warm and funny film", "warm and funny film", "A and funny film", "A warm funny film"]
            )
        )
        assert client.explain(["A film"])[0].effects is None
    assert short.effects[:4] == (None, *(pytest.approx(whole - one, abs=1e-6) for one in without))
    assert len(short.effects) == 6
    assert empty.effects == (None,)
    assert len(many.effects) == len(many.tokens)
    assert short.to_json()["effects"] == list(short.effects)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
def test_many_reviews_go_in_several_requests_and_come_back_in_order(target: str, count: int) -> None:
    texts = [f"review number {number}" for number in range(count)]
    with Client(target, batch_size=3) as client, Client(target, batch_size=100) as at_once:
        predictions = client.predict(texts)
        assert [prediction.text for prediction in predictions] == texts
        assert [row_of(prediction) for prediction in predictions] == [
            pytest.approx(row_of(prediction), abs=1e-6) for prediction in at_once.predict(texts)
        ]


def test_one_text_instead_of_a_list_is_an_error(target: str) -> None:
    with Client(target) as client, pytest.raises(TypeError, match=r"write \[review\]"):
        client.predict("a film")  # type: ignore[arg-type]  # the mistake under test


@pytest.mark.parametrize(
    ("model", "choice", "answering"),
    [
        ("imdb_attention", {}, 1),  # stable, though 2 is newer
        ("imdb_attention", {"label": "canary"}, 2),
        ("imdb_attention", {"label": "stable"}, 1),
        ("imdb_attention", {"version": 2}, 2),
        ("unlabelled", {}, 4),  # the newest
        ("unlabelled", {"version": 4}, 4),
    ],
)
def test_the_requested_version_answers(
    target: str, workspace: Workspace, model: str, choice: dict[str, int | str], answering: int
) -> None:
    expected = in_process(workspace, answering, "serve_text", TEXTS)["probabilities"]
    with Client(target, model, **choice) as client:
        for _ in range(2):  # the second time, the client knows whether there is a label
            predictions = client.predict(TEXTS)
            np.testing.assert_allclose([row_of(prediction) for prediction in predictions], expected, atol=1e-6)
    told = answering if not target.startswith("http") else choice.get("version")
    assert {prediction.model_version for prediction in predictions} == {told}


def test_version_0_is_not_taken_for_no_version(target: str) -> None:
    with Client(target, version=0) as client, pytest.raises(ModelNotFoundError, match="no available version 0"):
        client.predict(["x"])


def test_status_and_metadata(target: str) -> None:
    with Client(target) as client:
        assert client.status() == [VersionStatus(2, "AVAILABLE"), VersionStatus(1, "AVAILABLE")]
        metadata = client.metadata()
    assert metadata.version == 1
    assert {name for name in metadata.signatures if not name.startswith("__")} == {
        "serving_default",
        "serve_text",
        "explain",
        "classify",
    }
    assert metadata.signatures["explain"].inputs == {"text": TensorSpec("DT_STRING", (-1,))}
    assert metadata.signatures["explain"].outputs == {
        "probabilities": TensorSpec("DT_FLOAT", (-1, 2)),
        "tokens": TensorSpec("DT_STRING", (-1, 12)),
        "attention": TensorSpec("DT_FLOAT", (-1, 12)),
    }


def test_the_error_of_a_wrong_model_name_lists_models_of_the_server(target: str) -> None:
    for call in ("predict", "explain"):
        with Client(target, "imdb-attention") as client, pytest.raises(ModelNotFoundError) as caught:
            getattr(client, call)(["x"])
        assert f"there is no model 'imdb-attention' at {target}; it has 'imdb_attention'" in str(caught.value)
    with Client(target, "x/y%:") as client, pytest.raises(ModelNotFoundError, match="no model 'x/y%:'"):
        client.status()


def test_the_error_of_a_missing_version_lists_the_others(target: str) -> None:
    with Client(target, version=9) as client, pytest.raises(ModelNotFoundError) as caught:
        client.predict(["x"])
    expected = f"model 'imdb_attention' at {target} has no available version 9; it has 2 AVAILABLE, 1 AVAILABLE"
    assert str(caught.value) == expected


def test_a_missing_label_is_an_error_if_the_user_gave_it(target: str) -> None:
    with Client(target, "unlabelled", label="stable") as client, pytest.raises(LabelNotFoundError) as caught:
        client.predict(["x"])
    assert f"no version of model 'unlabelled' at {target} has the label 'stable'; it has 4 AVAILABLE" in str(
        caught.value
    )


def test_an_old_model_without_explain(target: str) -> None:
    with Client(target, "old") as client:
        assert client.predict(["x"])[0].label in {"negative", "positive"}
        with pytest.raises(SignatureNotFoundError) as caught:
            client.explain(["x"])
    message = str(caught.value)
    assert f"version 5 of model 'old' at {target} has no signature 'explain'" in message
    assert "it has classify, serve_text, serving_default" in message
    assert "imdb-attention run" in message


def test_no_server() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # no process listens, and no other can bind
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for target in (address, f"http://{address}"):
            with Client(target, retries=1) as client, pytest.raises(ServerUnavailableError) as caught:
                client.predict(["x"])
            message = str(caught.value)
            assert message.startswith(f"no server answers at {target} (")
            assert "refused" in message
            assert message.endswith("start one with `imdb-attention serve`, or give another address")


def test_the_error_of_the_wrong_protocol_names_it(server: RunningServer) -> None:
    for target in (server.url.removeprefix("http://"), f"http://{server.target}"):
        with Client(target, retries=0) as client, pytest.raises(ServerUnavailableError, match="another protocol"):
            client.predict(["x"])


def test_every_form_of_an_address_reaches_the_server_past_all_proxies(server: RunningServer, monkeypatch) -> None:
    for variable in ("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    grpc, rest = server.grpc_port, server.rest_port
    for target in (
        f"127.0.0.1:{grpc}",
        f"localhost:{grpc}",
        f"grpc://localhost:{grpc}/",
        f"dns:///localhost:{grpc}",
        f"dns:localhost:{grpc}",
        f"ipv4:127.0.0.1:{grpc}",
        f"http://127.0.0.1:{rest}",
        f"HTTP://localhost:{rest}/",
    ):
        with Client(target) as client:
            assert client.status()[0].version == 2, target
            assert len(client.predict(["A fine film."])) == 1


def test_proxies_count_for_other_hosts(monkeypatch) -> None:
    for variable in ("http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "socks4://127.0.0.1:9")
    with pytest.raises(SettingsError, match=r"^https_proxy=socks4://127.0.0.1:9 is a kind of proxy that gRPC does not"):
        Client("model.invalid:8500")
    with pytest.raises(SettingsError, match=r"the proxy .* for http://model.invalid:8501 cannot be used: .*socks4"):
        Client("http://model.invalid:8501")
    monkeypatch.setenv("no_proxy", "model.invalid")
    with Client("model.invalid:8500", deadline=1, retries=0) as client, pytest.raises(ServerUnavailableError):
        client.status()


def test_addresses(server: RunningServer) -> None:
    with Client(f"grpc://{server.target}") as client:
        assert client.status()[0].version == 2
    with Client(f"{server.url}/") as client:
        assert client.status()[0].version == 2
    with Client("localhost") as client:
        assert client.target == "localhost:8500"
    for target in ("ftp://localhost:8500", "https://"):
        with pytest.raises(SettingsError, match=r"give host:port, dns:///host:port, .*http://host:port or https"):
            Client(target)


def test_settings_that_contradict_each_other() -> None:
    with pytest.raises(SettingsError, match="version 1 and label 'stable' are both given; give one"):
        Client(version=1, label="stable")
    with pytest.raises(SettingsError, match="name is empty"):
        Client(model="")
    with pytest.raises(SettingsError, match="write https://localhost:8501"):
        Client("http://localhost:8501", tls=TLS())
