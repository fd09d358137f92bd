"""Certificates of encrypted connections."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from imdb_core.errors import SettingsError


@dataclass(frozen=True)
class TLS:
    """PEM files of an encrypted connection.

    Attributes:
        root_certificates: Certificates to trust; None for those of the system.
        certificate: The client's own certificate, if the server requires one.
        key: Private key of `certificate`.

    Raises:
        SettingsError: Only one of `certificate` and `key` is given.
    """

    root_certificates: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise SettingsError("a client's certificate and its key come together; give both or neither")

    def ssl_context(self) -> ssl.SSLContext:
        """Loads the files; raises SettingsError if one cannot be read or is not PEM."""
        try:
            context = ssl.create_default_context(cafile=self.root_certificates)
            if self.certificate:
                context.load_cert_chain(self.certificate, self.key)
        except OSError as error:
            files = [str(path) for path in (self.root_certificates, self.certificate, self.key) if path]
            raise SettingsError(f"cannot use {', '.join(files)} for TLS: {error}; give PEM files") from None
        return context
