"""A certificate authority that nobody trusts, for as long as a test runs."""

from __future__ import annotations

import ssl
from pathlib import Path

from ...errors import MissingExtraError

__all__ = ["ThrowawayCA"]


class ThrowawayCA:
    """Signs one certificate, for ``127.0.0.1``, ``::1`` and ``localhost``.

    Raises:
        MissingExtraError: the package trustme is not installed; it belongs to none of the extras.
    """

    def __init__(self) -> None:
        try:
            import trustme
        except ImportError as error:
            raise MissingExtraError("testing with certificates needs trustme: pip install trustme") from error
        self._ca = trustme.CA()
        self._certificate = self._ca.issue_cert("127.0.0.1", "::1", "localhost")

    def server_context(self) -> ssl.SSLContext:
        """For a server: presents the certificate."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        with self._certificate.private_key_and_cert_chain_pem.tempfile() as path:
            context.load_cert_chain(path)
        return context

    def client_context(self) -> ssl.SSLContext:
        """For a client: trusts this authority and no other."""
        return ssl.create_default_context(cadata=self._ca.cert_pem.bytes().decode())

    def write_pem(self, path: Path) -> Path:
        """Writes the authority's own certificate, as a user has it in a file; returns the path."""
        self._ca.cert_pem.write_to_path(str(path))
        return path
