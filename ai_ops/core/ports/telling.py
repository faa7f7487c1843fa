"""How people are told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ai_ops.core.ports.records import Page
from ai_ops.flow.notification import Notification, NotificationState, WaitingNotification, Way


class Outbox(Protocol):
    """Notifications, each to one receiver, and what became of them."""

    async def put(self, notification: Notification) -> Sequence[Notification]:
        """Keep a message once for each of its recipients; what is kept already stays as it is."""
        ...

    async def waiting(self, limit: int = 2000) -> Sequence[WaitingNotification]:
        """Return those that were not released: urgent ones, then new ones, then those that wait."""
        ...

    async def released_since(self, moment: datetime) -> Mapping[str, Sequence[datetime]]:
        """Return by receiver when something was released to it, after ``moment``."""
        ...

    async def hold(self, ids: Collection[str], until: datetime, reason: str) -> None:
        """Let these wait, and say why."""
        ...

    async def release(self, ids: Collection[str], at: datetime) -> None:
        """Let each of these go out on its own, from now on for ever."""
        ...

    async def gather(self, digest: Notification, ids: Collection[str]) -> None:
        """Keep a released digest, and let these go out with it, in one commit."""
        ...

    async def due(self, now: datetime, way: Way, limit: int = 20) -> Sequence[Notification]:
        """Return released ones whose time has come."""
        ...

    async def mark_sent(self, notification_id: str, at: datetime) -> None:
        """Record a delivery, of a digest that of all in it."""
        ...

    async def mark_failed(self, notification_id: str, error: str, next_attempt_at: datetime | None) -> None:
        """Record a failed try; no further time means it is final. One that was sent stays sent."""
        ...

    async def find(self, notification_id: str) -> Notification | None:
        """Return a notification."""
        ...

    async def list(
        self, *, states: Collection[NotificationState] = (), limit: int = 50, cursor: str | None = None
    ) -> Page[Notification]:
        """Return notifications, newest first; no states: of any."""
        ...

    async def retry(self, notification_id: str) -> Notification:
        """Let one that failed go out again.

        Raises:
            PermanentError: ``notification_not_found``, ``notification_not_failed``.
        """
        ...


class Notifier(Protocol):
    """Delivers a notification, one way."""

    async def deliver(self, notification: Notification) -> str:
        """Deliver, and say where to, for people.

        Raises:
            TemporaryError: ``mail_unavailable``, ``mail_deferred``, ``webhook_unavailable``,
                ``channel_unavailable``.
            PermanentError: ``mail_refused``, ``mail_auth_failed``, ``mail_address_invalid``,
                ``webhook_refused``, ``webhook_gone``, ``webhook_private``, ``channel_invalid``,
                ``channels_missing``, ``receiver_unknown``.
        """
        ...
