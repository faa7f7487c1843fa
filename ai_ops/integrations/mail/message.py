"""Notification → e-mail message. Subjects and addresses are made safe here, and only here."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from ai_ops.core.failures import failed
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
        raise failed("mail_address_invalid", f"{text!r} is not an e-mail address")
    local, _, domain = text.rpartition("@")
    return Address(username=local, domain=domain)


def envelope(notification: Notification) -> list[str]:
    """Return the addresses that a mail is sent to; of one out of the outbox its own receiver.

    Raises:
        PermanentError: ``mail_address_invalid``.
    """
    receivers = [notification.recipient] if notification.recipient else list(notification.recipients)
    return [address(receiver).addr_spec for receiver in receivers]


def build(notification: Notification, sender: str) -> EmailMessage:
    """Return the message, with text and HTML, its Message-ID as it was given.

    Raises:
        PermanentError: ``mail_address_invalid``, of its receiver or the sender.
    """
    envelope(notification)
    home = address(sender)
    message = EmailMessage(policy=_POLICY)
    message["From"] = Address("AI-Ops", addr_spec=str(home))
    # All who are told; one that is no address does not keep the others from their mail.
    message["To"] = [address(each) for each in notification.recipients if _ADDRESS.fullmatch(each)]
    message["Subject"] = safe_subject(notification.subject)
    message["Message-ID"] = notification.message_id
    if notification.in_reply_to:
        message["In-Reply-To"] = message["References"] = notification.in_reply_to
    message["Date"] = format_datetime(notification.created_at)
    # Keeps out-of-office replies away, and marks the mail as written by a program.
    message["Auto-Submitted"] = "auto-generated"
    message["List-Id"] = f"AI-Ops <ai-ops.{home.domain.lower()}>"
    if notification.why:
        message["X-AI-Ops-Reason"] = safe_subject(notification.why)
    message["X-AI-Ops-Kind"] = notification.kind.value
    message.set_content(encodable(notification.text))
    message.add_alternative(encodable(notification.html), subtype="html")
    # Sent again it is the same to the byte; and no text can hold a digest of itself.
    whole = f"{notification.message_id}{notification.text}{notification.html}"
    message.set_boundary(f"=_{hashlib.sha256(encodable(whole).encode()).hexdigest()[:48]}")
    return message


def encodable(text: str) -> str:
    """Return text that UTF-8 and every mail reader can carry."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")
