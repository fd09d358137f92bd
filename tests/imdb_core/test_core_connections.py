"""Tests of proxies; that clients reach real servers past them is tested in tests/serving/client."""

import re
import socket
from pathlib import Path

import pytest

from imdb_core.connections import DIRECT, grpc_proxy_options, is_this_machine, trusts_environment
from imdb_core.errors import SettingsError

ROOT = Path(__file__).parents[2]

HERE = [
    "localhost",
    "LOCALHOST.",
    "model.localhost",
    "127.0.0.1",
    "127.1",
    "127.255.3.4",
    "::1",
    "[::1]",
    "::ffff:127.0.0.1",
    "0.0.0.0",  # noqa: S104 - a client's target
    "::",
    socket.gethostname(),
]
ELSEWHERE = ["example.org", "localhost.example.org", "10.0.0.1", "128.0.0.1", "2001:db8::1", "serving", ""]
PROXIES = {"http_proxy": "http://127.0.0.1:9", "ALL_PROXY": "socks://127.0.0.1:9", "https_proxy": "socks5://h:1"}


@pytest.mark.parametrize("host", HERE)
def test_this_machine_is_asked_directly_whatever_the_environment_says(host):
    assert is_this_machine(host)
    assert not trusts_environment(host)
    assert grpc_proxy_options(host, PROXIES) == DIRECT


@pytest.mark.parametrize("host", ELSEWHERE)
def test_proxies_count_for_other_hosts(host):
    assert not is_this_machine(host)
    assert trusts_environment(host)
    assert grpc_proxy_options(host, {}) == ()
    assert grpc_proxy_options(host, {"http_proxy": "http://proxy:3128", "no_proxy": "other.org"}) == ()


def test_a_socket_of_this_machine_needs_no_proxy():
    assert grpc_proxy_options(None, PROXIES) == DIRECT


@pytest.mark.parametrize("exception", ["example.org", ".org", "*", "other.net, example.org", "example.org:443,.org"])
def test_hosts_that_no_proxy_names_are_asked_directly(exception):
    assert grpc_proxy_options("example.org", {**PROXIES, "no_proxy": exception}) == DIRECT
    assert grpc_proxy_options("example.org", {**PROXIES, "no_grpc_proxy": exception, "no_proxy": ""}) == DIRECT


@pytest.mark.parametrize("variable", ["grpc_proxy", "https_proxy", "http_proxy"])
@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "https://proxy:3128", "ftp://x"])
def test_a_proxy_that_grpc_would_ignore_in_silence_is_an_error(variable, proxy):
    with pytest.raises(SettingsError, match=rf"^{variable}={re.escape(proxy)} .* add example.org to no_grpc_proxy, or"):
        grpc_proxy_options("example.org", {variable: proxy})
    # gRPC's own variable comes first.
    assert grpc_proxy_options("example.org", {"https_proxy": proxy, "grpc_proxy": "http://proxy:3128"}) == ()


OPENS = re.compile(r"\b(?:in)?secure_channel\(|httpx\.(?:Client|AsyncClient|stream|get|post|request)\(|\burlopen\(")
DECIDES = re.compile(r"\bDIRECT\b|\bgrpc_proxy_options\(|\btrust_env=trusts_environment\(")


@pytest.mark.parametrize("room", ["imdb_core", "serving", "components", "pipeline", "benchmarks"])
def test_every_place_that_opens_a_connection_decides_about_proxies(room):
    for file in (ROOT / room).rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if OPENS.search(text):
            assert DECIDES.search(text), file
