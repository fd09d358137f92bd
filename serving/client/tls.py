"""Encrypted connections."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imdb_core.errors import SettingsError


@dataclass(frozen=True)
class TLS:
    """Files in PEM format.

    Attributes:
        root_certificates: of those who vouch for the server; None for the system's.
        certificate: of the client, where the server asks for one.
        key: of `certificate`.

    Raises:
        SettingsError: there is a certificate without key or a key without certificate.
    """

    root_certificates: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise SettingsError("a client's certificate and its key come together; give both or neither")

    def channel_credentials(self) -> Any:
        """As gRPC wants it.

        Raises:
            SettingsError: a file cannot be read, or is no PEM.
        """
        import grpc

        self.ssl_context()  # gRPC would take files that are no PEM, and then find no server
        files = (self.root_certificates, self.key, self.certificate)
        return grpc.ssl_channel_credentials(*(path and path.read_bytes() for path in files))

    def ssl_context(self) -> ssl.SSLContext:
        """As HTTP wants it.

        Raises:
            SettingsError: a file cannot be read, or is no PEM.
        """
        try:
            context = ssl.create_default_context(cafile=self.root_certificates)
            if self.certificate:
                context.load_cert_chain(self.certificate, self.key)
        except OSError as error:
            files = [str(path) for path in (self.root_certificates, self.certificate, self.key) if path]
            raise SettingsError(f"cannot use {', '.join(files)} for TLS: {error}; give PEM files") from None
        return context
