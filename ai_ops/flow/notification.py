"""Notification: one message to one receiver, kept in the outbox until it is delivered."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class NotificationKind(StrEnum):
    """What a notification says. ``digest`` stands for several others; ``notice`` is any other news."""

    PULL_REQUEST = "pull_request"
    NEEDS_REVIEW = "needs_review"
    FAILED = "failed"
    WAITING = "waiting"
    NOTICE = "notice"
    DIGEST = "digest"


class NotificationState(StrEnum):
    """``digested`` goes out as part of a digest; ``failed`` is final: refused, or the tries are used up."""

    PENDING = "pending"
    DIGESTED = "digested"
    SENT = "sent"
    FAILED = "failed"


class Way(StrEnum):
    """How a receiver is reached."""

    MAIL = "mail"
    WEBHOOK = "webhook"
    CHANNEL = "channel"


def way_of(recipient: str) -> Way:
    """Return the way to a receiver: ``webhook:NAME``, ``channel:NAME``, or else a mail address."""
    lead, colon, _ = recipient.partition(":")
    return Way(lead) if colon and lead in (Way.WEBHOOK, Way.CHANNEL) else Way.MAIL


@dataclass(frozen=True, slots=True)
class Notification:
    """A message. ``key`` names what it says: with one receiver it is one notification, however often made.

    ``recipients`` are all whom the message goes to; in the outbox it is one row for each, its ``recipient``.
    ``message_id`` follows from the key. ``thread`` is what mails hang together by, an issue's id;
    ``in_reply_to`` the Message-ID of its first mail to this receiver. ``why`` says why it goes to them,
    after "because". ``data`` is what programs are told, JSON. ``urgent`` waits for nothing.

    Once ``released_at`` is set it goes out on its own; ``digest`` is the key of the digest that it goes out
    with instead. ``last_error`` says why it has not arrived.
    """

    key: str
    message_id: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    html: str
    created_at: datetime
    state: NotificationState = NotificationState.PENDING
    attempts: int = 0
    next_attempt_at: datetime | None = None
    last_error: str = ""
    kind: NotificationKind = NotificationKind.NOTICE
    urgent: bool = False
    thread: str = ""
    in_reply_to: str = ""
    url: str = ""
    why: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    recipient: str = ""
    released_at: datetime | None = None
    sent_at: datetime | None = None
    digest: str = ""

    @property
    def id(self) -> str:
        """What the outside knows it by; follows from key and receiver."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"ai-ops:notification:{self.key}\0{self.recipient}"))

    @property
    def way(self) -> Way:
        """How it goes."""
        return way_of(self.recipient)


@dataclass(frozen=True, slots=True)
class WaitingNotification:
    """What pacing has to know of a notification that was not released yet."""

    id: str
    recipient: str
    created_at: datetime
    urgent: bool
    subject: str
    url: str
    next_attempt_at: datetime | None = None
