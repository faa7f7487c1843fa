"""Notification → e-mail message. Subjects and addresses are made safe here, and only here."""

from __future__ import annotations

import re
import unicodedata
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from ai_ops.errors import PermanentError
from ai_ops.flow.notification import Notification

_SUBJECT_LIMIT = 200
# Wide enough that a subject is never folded: some readers keep the space of the fold.
_POLICY = SMTP.clone(max_line_length=250)
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}")


def safe_subject(text: str) -> str:
    """Return one line without control, separator or invisible characters.

    ``EmailMessage`` refuses CR, LF, VT, FF, NEL and the Unicode separators; a mail is never lost for that.
    """
    kept = (" " if unicodedata.category(c) in {"Cc", "Zl", "Zp", "Cf", "Cs"} else c for c in text)
    words = " ".join("".join(kept).split())
    return words[:_SUBJECT_LIMIT] or "(no subject)"


def address(text: str) -> Address:
    """Return an address of the form ``name@host``.

    Raises:
        PermanentError: ``mail_address_invalid``.
    """
    if not _ADDRESS.fullmatch(text):
        raise PermanentError(
            "mail_address_invalid", f"{text!r} is not an e-mail address", next_step="Correct RECEIVER_EMAIL."
        )
    local, _, domain = text.rpartition("@")
    return Address(username=local, domain=domain)


def build(notification: Notification, sender: str) -> EmailMessage:
    """Return the message, with text and HTML, its Message-ID as it was given."""
    message = EmailMessage(policy=_POLICY)
    message["From"] = Address("AI-Ops", addr_spec=str(address(sender)))
    message["To"] = [address(recipient) for recipient in notification.recipients]
    message["Subject"] = safe_subject(notification.subject)
    message["Message-ID"] = notification.message_id
    message["Date"] = format_datetime(notification.created_at)
    # Keeps out-of-office replies away, and marks the mail as written by a program.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(encodable(notification.text))
    message.add_alternative(encodable(notification.html), subtype="html")
    return message


def encodable(text: str) -> str:
    """Return text that UTF-8 and every mail reader can carry."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")
