"""Delivery by SMTP."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import aiosmtplib

from ai_ops.core.failures import failed
from ai_ops.core.failures.way import part_of_the_way
from ai_ops.errors import AiOpsError
from ai_ops.flow.notification import Notification
from ai_ops.integrations.mail.message import build, envelope

_TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class SmtpOptions:
    """Where mail goes. ``tls`` is ``starttls``, ``tls`` or ``none``; empty ``user``: no login."""

    server: str
    port: int
    sender: str
    tls: str = "starttls"
    user: str = ""
    password: str = ""
    ca_file: Path | None = None


class SmtpNotifier:
    """Sends each notification as one mail."""

    def __init__(self, options: SmtpOptions) -> None:
        self._options = options

    async def deliver(self, notification: Notification) -> str:
        """Send, and say by which server."""
        options = self._options
        # As bytes: a message object would be folded again on the way.
        message = bytes(build(notification, options.sender))
        context = ssl.create_default_context(cafile=str(options.ca_file) if options.ca_file else None)
        try:
            await aiosmtplib.send(
                message,
                sender=options.sender,
                recipients=envelope(notification),
                hostname=options.server,
                port=options.port,
                username=options.user if options.password else None,
                password=options.password or None,
                use_tls=options.tls == "tls",
                start_tls=options.tls == "starttls",
                tls_context=None if options.tls == "none" else context,
                timeout=_TIMEOUT_SECONDS,
            )
        except aiosmtplib.SMTPException as error:
            raise _named(error, options) from error
        except OSError as error:
            raise _unavailable(options, error) from error
        return f"sent by {options.server}"


def _named(error: aiosmtplib.SMTPException, options: SmtpOptions) -> AiOpsError:
    """Return the named failure of an SMTP one. 4xx may pass, 5xx does not."""
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return failed("mail_auth_failed", f"{options.server} refused the login")
    codes = _codes(error)
    if codes and min(codes) >= 500:
        return failed("mail_refused", f"{options.server} refused the mail: {error}")
    if codes:
        return failed("mail_deferred", f"{options.server} asks to come back later: {error}")
    return _unavailable(options, error)


def _codes(error: aiosmtplib.SMTPException) -> list[int]:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return [refused.code for refused in error.recipients]
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return [error.code]
    return []


def _unavailable(options: SmtpOptions, error: Exception) -> AiOpsError:
    code = part_of_the_way(error, "mail_unavailable")
    return failed(code, f"{options.server}:{options.port} cannot be reached: {error}")
