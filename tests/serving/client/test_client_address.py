import pytest
from hypothesis import given
from hypothesis import strategies as st

from imdb_core.errors import SettingsError
from serving.client.address import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost", Address("localhost:8500", "localhost")),
        ("localhost:9000", Address("localhost:9000", "localhost")),
        (" model.example.org:9000 ", Address("model.example.org:9000", "model.example.org")),
        ("127.0.0.1:8500", Address("127.0.0.1:8500", "127.0.0.1")),
        ("[::1]:9000", Address("[::1]:9000", "[::1]")),
        ("[::1]", Address("[::1]:8500", "[::1]")),
        ("::1", Address("[::1]:8500", "[::1]")),
        ("fe80::1%eth0", Address("[fe80::1%eth0]:8500", "[fe80::1%eth0]")),
        ("dns:///localhost:9000", Address("dns:///localhost:9000", "localhost")),
        ("dns:localhost", Address("dns:localhost:8500", "localhost")),
        ("dns://8.8.8.8/model.example.org:9000", Address("dns://8.8.8.8/model.example.org:9000", "model.example.org")),
        ("DNS:///localhost:9000", Address("dns:///localhost:9000", "localhost")),
        ("ipv4:127.0.0.1:9000", Address("ipv4:127.0.0.1:9000", "127.0.0.1")),
        ("ipv4:127.0.0.1", Address("ipv4:127.0.0.1:8500", "127.0.0.1")),
        ("ipv6:[::1]:9000", Address("ipv6:[::1]:9000", "[::1]")),
        ("ipv6:::1", Address("ipv6:[::1]:8500", "[::1]")),
        ("unix:serving.sock", Address("unix:serving.sock", None)),
        ("unix:/run/serving.sock", Address("unix:/run/serving.sock", None)),
        ("unix:///run/serving.sock", Address("unix:///run/serving.sock", None)),
        ("unix-abstract:serving", Address("unix-abstract:serving", None)),
        ("grpc://localhost:9000", Address("localhost:9000", "localhost")),
        ("grpc://localhost/", Address("localhost:8500", "localhost")),
        ("grpcs://model.example.org:443", Address("model.example.org:443", "model.example.org", encrypted=True)),
        ("http://localhost:8501", Address("http://localhost:8501", "localhost", rest=True)),
        ("http://localhost:8501/", Address("http://localhost:8501", "localhost", rest=True)),
        ("HTTP://[::1]:8501", Address("http://[::1]:8501", "::1", rest=True)),
        ("https://x.org/prefix/", Address("https://x.org/prefix", "x.org", rest=True, encrypted=True)),
        ("http://user:pass@x.org:8501", Address("http://user:pass@x.org:8501", "x.org", rest=True)),
    ],
)
def test_the_forms_that_grpc_and_curl_know(text, address):
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ":8500",
        "localhost:",
        "localhost:x",
        "localhost:0",
        "localhost:65536",
        "local host:8500",
        "localhost:8500/v1",
        "ftp://localhost:8500",
        "grpc://",
        "grpc:localhost",
        "grpc://localhost:8500/x",
        "dns:",
        "dns:///",
        "dns://localhost:8500",
        "ipv6:[::1:9000",
        "unix:",
        "unix://",
        "unix-abstract:",
        "http://",
        "http:localhost",
        "http://:8501",
        "http://localhost:x",
        "http://localhost:99999",
        "http://local host",
        "http://localhost?x=1",
        "https:///path",
        "[]:8500",
        "[::1]x:1",
        "http://[::1",
    ],
)
def test_anything_else_is_one_line_with_the_forms(text):
    with pytest.raises(SettingsError, match=r"is not a server's address; give host:port, dns:///") as caught:
        parse_address(text)
    assert repr(text) in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_an_error(text):
    try:
        address = parse_address(text)
    except SettingsError:
        return
    assert parse_address(address.target).host == address.host
