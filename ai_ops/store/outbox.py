"""Notifications that wait to be delivered: one key, one mail, however often it is put."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert, or_, select, update

from ai_ops.flow.notification import Notification, NotificationState
from ai_ops.store import tables
from ai_ops.store.database import Database
from ai_ops.store.lane import Transaction
from ai_ops.store.rows import clean, notification_from, notification_row, page_size


class OutboxRepository:
    """Implements ``Outbox``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, notification: Notification) -> Notification:
        """Keep it; the same key returns the one already kept."""
        async with self._database.write() as connection:
            return await keep(connection, notification)

    async def due(self, now: datetime, limit: int = 20) -> Sequence[Notification]:
        """Return pending notifications whose time has come, oldest first."""
        c = tables.notifications.c
        ready = or_(c.next_attempt_at.is_(None), c.next_attempt_at <= now)
        query = select(tables.notifications).where(c.state == NotificationState.PENDING, ready)
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(c.seq).limit(page_size(limit)))
            return [notification_from(row) for row in rows.mappings()]

    async def mark_sent(self, key: str) -> None:
        """Record a delivery."""
        c = tables.notifications.c
        sent = {
            "state": NotificationState.SENT,
            "attempts": c.attempts + 1,
            "next_attempt_at": None,
            "last_error": "",
        }
        async with self._database.write() as connection:
            await connection.execute(update(tables.notifications).where(c.key == key).values(sent))

    async def mark_failed(self, key: str, error: str, next_attempt_at: datetime | None) -> None:
        """Record a failed try; no further time means it is final. One that was sent stays sent."""
        c = tables.notifications.c
        state = NotificationState.FAILED if next_attempt_at is None else NotificationState.PENDING
        values = {
            "state": state,
            "attempts": c.attempts + 1,
            "next_attempt_at": next_attempt_at,
            "last_error": clean(error, 2000),
        }
        waiting = (c.key == key) & (c.state == NotificationState.PENDING)
        async with self._database.write() as connection:
            await connection.execute(update(tables.notifications).where(waiting).values(values))


async def keep(connection: Transaction, notification: Notification) -> Notification:
    """Keep a notification within a transaction; the same key returns the one already kept."""
    same = tables.notifications.c.key == notification.key
    known = (await connection.execute(select(tables.notifications).where(same))).mappings().first()
    if known is not None:
        return notification_from(known)
    await connection.execute(insert(tables.notifications), notification_row(notification))
    return notification
