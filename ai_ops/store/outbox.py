"""Notifications, each to one receiver: kept once however often they are put, until they are delivered."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Update, and_, insert, or_, select, update

from ai_ops.core.failures import failed
from ai_ops.core.ports import Page
from ai_ops.flow.notification import (
    Notification,
    NotificationKind,
    NotificationState,
    WaitingNotification,
    Way,
)
from ai_ops.store import tables
from ai_ops.store.database import Database
from ai_ops.store.lane import Transaction
from ai_ops.store.paging import page
from ai_ops.store.rows import clean, notification_from, notification_row, page_size

_C = tables.notifications.c
_UNDECIDED = and_(_C.state == NotificationState.PENDING, _C.released_at.is_(None))
_LONGEST_RECIPIENT = 512


class OutboxRepository:
    """Implements ``Outbox``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, notification: Notification) -> Sequence[Notification]:
        """Keep a message once for each of its recipients; what is kept already stays as it is."""
        async with self._database.write() as connection:
            return await keep(connection, notification)

    async def waiting(self, limit: int = 2000) -> Sequence[WaitingNotification]:
        """Return those that were not released: urgent ones, then new ones, then those that wait.

        Each oldest first. So no storm that waits for its digest fills the limit before what must not wait.
        """
        names = ("id", "recipient", "created_at", "urgent", "subject", "url", "next_attempt_at")
        first = (_C.urgent.desc(), _C.next_attempt_at.is_not(None), _C.seq)
        query = select(*(_C[name] for name in names)).where(_UNDECIDED).order_by(*first).limit(limit)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [WaitingNotification(**row) for row in rows]

    async def released_since(self, moment: datetime) -> Mapping[str, Sequence[datetime]]:
        """Return by receiver when something was released to it, after ``moment``."""
        query = select(_C.recipient, _C.released_at).where(_C.released_at > moment)
        found: dict[str, list[datetime]] = {}
        async with self._database.read() as connection:
            for recipient, at in (await connection.execute(query)).all():
                found.setdefault(recipient, []).append(at)
        return found

    async def hold(self, ids: Collection[str], until: datetime, reason: str) -> None:
        """Let these wait, and say why."""
        await self._decide(ids, next_attempt_at=until, last_error=f"waits: {reason}")

    async def release(self, ids: Collection[str], at: datetime) -> None:
        """Let each of these go out on its own, from now on for ever."""
        await self._decide(ids, released_at=at, next_attempt_at=None, last_error="")

    async def _decide(self, ids: Collection[str], **values: object) -> None:
        async with self._database.write() as connection:
            await connection.execute(_of(ids).where(_UNDECIDED).values(values))

    async def gather(self, digest: Notification, ids: Collection[str]) -> None:
        """Keep a released digest, and let these go out with it, in one commit."""
        member = {"state": NotificationState.DIGESTED, "digest": digest.key, "next_attempt_at": None}
        async with self._database.write() as connection:
            await keep(connection, digest)
            await connection.execute(_of(ids).where(_UNDECIDED).values({**member, "last_error": ""}))

    async def due(self, now: datetime, way: Way, limit: int = 20) -> Sequence[Notification]:
        """Return released ones whose time has come, oldest first."""
        ready = or_(_C.next_attempt_at.is_(None), _C.next_attempt_at <= now)
        pending = and_(_C.state == NotificationState.PENDING, _C.released_at.is_not(None), _C.way == way)
        query = select(tables.notifications).where(pending, ready)
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(_C.seq).limit(page_size(limit)))
            return [notification_from(row) for row in rows.mappings()]

    async def mark_sent(self, notification_id: str, at: datetime) -> None:
        """Record a delivery, of a digest that of all in it."""
        sent = {"state": NotificationState.SENT, "next_attempt_at": None, "last_error": "", "sent_at": at}
        async with self._database.write() as connection:
            own = _of([notification_id]).values({**sent, "attempts": _C.attempts + 1})
            await connection.execute(own)
            await _with_members(connection, notification_id, sent)

    async def mark_failed(self, notification_id: str, error: str, next_attempt_at: datetime | None) -> None:
        """Record a failed try; no further time means it is final. One that was sent stays sent."""
        state = NotificationState.FAILED if next_attempt_at is None else NotificationState.PENDING
        failure = {"state": state, "last_error": clean(error, 2000)}
        values = {**failure, "attempts": _C.attempts + 1, "next_attempt_at": next_attempt_at}
        pending = _C.state == NotificationState.PENDING
        async with self._database.write() as connection:
            await connection.execute(_of([notification_id]).where(pending).values(values))
            if next_attempt_at is None:
                await _with_members(connection, notification_id, failure)

    async def find(self, notification_id: str) -> Notification | None:
        """Return a notification."""
        async with self._database.read() as connection:
            return await _find(connection, notification_id)

    async def list(
        self, *, states: Collection[NotificationState] = (), limit: int = 50, cursor: str | None = None
    ) -> Page[Notification]:
        """Return notifications, newest first; no states: of any."""
        where = [_C.state.in_(states)] if states else []
        return await page(
            self._database, tables.notifications, notification_from, *where, limit=limit, cursor=cursor
        )

    async def retry(self, notification_id: str) -> Notification:
        """Let one that failed go out again; of a digest's part, the digest.

        Raises:
            PermanentError: ``notification_not_found``, ``notification_not_failed``.
        """
        async with self._database.write() as connection:
            found = await _find(connection, notification_id)
            if found is not None and found.digest:
                found = await _find(connection, replace(found, key=found.digest).id)
            if found is None:
                raise failed("notification_not_found")
            if found.state is not NotificationState.FAILED:
                raise failed(
                    "notification_not_failed",
                    f"The notification is {found.state} and has not failed.",
                )
            again = {"state": NotificationState.PENDING, "attempts": 0, "next_attempt_at": None}
            await connection.execute(_of([found.id]).values(again))
            await _with_members(connection, found.id, {"state": NotificationState.DIGESTED})
            return replace(found, state=NotificationState.PENDING, attempts=0, next_attempt_at=None)


async def keep(connection: Transaction, notification: Notification) -> tuple[Notification, ...]:
    """Keep a message for each of its recipients within a transaction; what is kept stays as it is."""
    kept = []
    for recipient in dict.fromkeys(notification.recipients):
        one = replace(notification, recipient=recipient[:_LONGEST_RECIPIENT])
        known = await _find(connection, one.id)
        if known is None:
            known = await _hung(connection, one)
            await connection.execute(insert(tables.notifications), notification_row(known))
        kept.append(known)
    return tuple(kept)


async def _hung(connection: Transaction, notification: Notification) -> Notification:
    """Return a mail as an answer to the first of its thread; others as they are."""
    if not notification.thread or notification.way is not Way.MAIL:
        return notification
    same = (_C.thread == notification.thread) & (_C.recipient == notification.recipient)
    first = select(_C.message_id, _C.in_reply_to).where(same).order_by(_C.seq).limit(1)
    row = (await connection.execute(first)).first()
    if row is None:
        return notification
    return replace(notification, in_reply_to=row.in_reply_to or row.message_id)


async def _find(connection: Transaction, notification_id: str) -> Notification | None:
    query = select(tables.notifications).where(_C.id == notification_id)
    row = (await connection.execute(query)).mappings().first()
    return notification_from(row) if row else None


def _of(ids: Collection[str]) -> Update:
    return update(tables.notifications).where(_C.id.in_(ids))


async def _with_members(connection: Transaction, digest_id: str, values: Mapping[str, object]) -> None:
    """Let the parts of a digest share its lot; of what is no digest there are none."""
    key = select(_C.key).where(_C.id == digest_id, _C.kind == NotificationKind.DIGEST).scalar_subquery()
    recipient = select(_C.recipient).where(_C.id == digest_id).scalar_subquery()
    parts = update(tables.notifications).where(_C.digest == key, _C.recipient == recipient)
    await connection.execute(parts.values(values))
