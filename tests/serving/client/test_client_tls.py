from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from certificates import Certificates, write_certificates
from scripted_servers import Scripted, scripted_grpc, scripted_rest

from imdb_core.errors import SettingsError
from serving.client import TLS, Client, ServerUnavailableError


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return write_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=["grpc", "rest"])
def encrypted(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[Scripted]:
    """A server that accepts only a client with the server's own certificate."""
    if request.param == "grpc":
        pair = (certificates.key.read_bytes(), certificates.certificate.read_bytes())
        credentials = grpc.ssl_server_credentials([pair], pair[1], require_client_auth=True)
        with scripted_grpc(credentials=credentials) as server:
            yield server
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.certificate, certificates.key)
        context.load_verify_locations(certificates.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        with scripted_rest(context=context) as server:
            yield server


def test_an_encrypted_connection_with_certificates_on_both_sides(
    encrypted: Scripted, certificates: Certificates
) -> None:
    tls = TLS(certificates.certificate, certificates.certificate, certificates.key)
    with Client(encrypted.target, tls=tls) as client:
        assert client.predict(["x"])[0].probability == 0.75


@pytest.mark.parametrize("trusting", [True, False])
def test_an_encrypted_connection_without_certificates_fails(
    encrypted: Scripted, certificates: Certificates, trusting: bool
) -> None:
    # The client has no certificate; in the second case it does not trust the server's certificate either.
    tls = TLS(certificates.certificate) if trusting else TLS()
    with Client(encrypted.target, tls=tls, retries=0) as client, pytest.raises(ServerUnavailableError):
        client.predict(["x"])
    assert encrypted.script.asked == 0


def test_an_unencrypted_request_to_an_encrypted_server_fails(certificates: Certificates) -> None:
    pair = (certificates.key.read_bytes(), certificates.certificate.read_bytes())
    with scripted_grpc(credentials=grpc.ssl_server_credentials([pair])) as scripted:
        with Client(scripted.target, retries=0) as client, pytest.raises(ServerUnavailableError):
            client.predict(["x"])
        with Client(scripted.target, retries=0, tls=TLS()) as client, pytest.raises(ServerUnavailableError) as caught:
            client.predict(["x"])
        assert "check whether the server uses TLS, and the certificates" in str(caught.value)


def test_unusable_certificates_are_settings_errors(certificates: Certificates, tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("no certificate")
    with pytest.raises(SettingsError, match="give both or neither"):
        TLS(certificate=certificates.certificate)
    for tls in (TLS(tmp_path / "no.pem"), TLS(tmp_path / "missing.pem"), TLS(None, certificates.key, certificates.key)):
        for target in ("localhost:1", "https://localhost:1"):
            with pytest.raises(SettingsError, match=r"cannot use .*\.pem for TLS: .*; give PEM files"):
                Client(target, tls=tls)
