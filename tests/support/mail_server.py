"""A real SMTP server on loopback that wants STARTTLS and a login, and keeps what it was given."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import ipaddress
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = timedelta(days=1)


class MailServer:
    """Takes mail of ``user`` with ``password``; ``messages`` are the mails, parsed, as they came.

    ``refusal`` is what it answers to a mail that it does not take.
    """

    def __init__(self, folder: Path, user: str, password: str) -> None:
        self.user, self.password = user, password
        self.ca_file = folder / "mail-ca.pem"
        self.messages: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.port = 0
        self.refusal = ""
        self._key_file = folder / "mail-key.pem"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[MailServer]:
        """Serve on a free loopback port."""
        write_certificate(self.ca_file, self._key_file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca_file, self._key_file)

        def protocol() -> SMTP:
            return SMTP(
                self,
                hostname="127.0.0.1",
                tls_context=context,
                require_starttls=True,
                authenticator=self._authenticate,
                auth_required=True,
            )

        server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    @property
    def message_ids(self) -> set[str]:
        """The Message-IDs that came; two mails with one are one mail to a reader."""
        return {str(message["Message-ID"]) for message in self.messages}

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.refusal:
            return self.refusal
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        self.raw.append(content)
        message: Any = email.message_from_bytes(content, policy=email.policy.default)
        self.messages.append(message)
        return "250 OK"

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        known = LoginPassword(self.user.encode(), self.password.encode())
        return AuthResult(success=data == known)


def write_certificate(certificate_file: Path, key_file: Path, *, until: timedelta = _DAY) -> None:
    """Write a self-signed certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 3 * _DAY)
        .not_valid_after(now + until)
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
