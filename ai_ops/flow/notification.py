"""Notification: one message to people, kept in the outbox until it is delivered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class NotificationState(StrEnum):
    """``failed`` is final: the receiver refused it or the tries are used up."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Notification:
    """A mail. ``key`` is unique (one key, one mail); ``message_id`` follows from it and is stable."""

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
