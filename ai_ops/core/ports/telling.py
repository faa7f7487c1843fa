"""How people are told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from ai_ops.flow.notification import Notification


class Outbox(Protocol):
    """Notifications that wait to be delivered."""

    async def put(self, notification: Notification) -> Notification:
        """Keep it; the same key returns the one already kept."""
        ...

    async def due(self, now: datetime, limit: int = 20) -> Sequence[Notification]:
        """Return pending notifications whose time has come."""
        ...

    async def mark_sent(self, key: str) -> None:
        """Record a delivery."""
        ...

    async def mark_failed(self, key: str, error: str, next_attempt_at: datetime | None) -> None:
        """Record a failed try; no further time means it is final."""
        ...


class Notifier(Protocol):
    """Delivers one notification."""

    async def deliver(self, notification: Notification) -> str:
        """Deliver, and say where to, for people.

        Raises:
            TemporaryError: ``mail_unavailable``, ``mail_deferred``.
            PermanentError: ``mail_refused``, ``mail_auth_failed``.
        """
        ...
