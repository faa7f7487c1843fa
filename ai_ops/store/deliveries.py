"""What came in about pull requests before: comments that were looked at, and webhooks that were taken."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from sqlalchemy import insert, select, update

from ai_ops.core.ports import Clock, SeenComment
from ai_ops.flow.pull_request import HostedComment
from ai_ops.store import tables
from ai_ops.store.database import Database


class SeenCommentRepository:
    """Implements ``SeenComments``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, pull_request_id: str) -> Mapping[str, SeenComment]:
        """Return those of a pull request, by the id of the comment."""
        c = tables.seen_comments.c
        query = select(c.comment_id, c.created_at, c.done).where(c.pull_request_id == pull_request_id)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return {row.comment_id: SeenComment(row.created_at, row.done) for row in rows}

    async def put(self, pull_request_id: str, comment: HostedComment, *, done: bool) -> None:
        """Remember one; said again, the later word counts."""
        c = tables.seen_comments.c
        same = (c.pull_request_id == pull_request_id, c.comment_id == comment.id)
        row = {
            "pull_request_id": pull_request_id,
            "comment_id": comment.id,
            "created_at": comment.created_at,
            "done": done,
        }
        async with self._database.write() as connection:
            changed = await connection.execute(update(tables.seen_comments).where(*same).values(done=done))
            if not changed.rowcount:
                await connection.execute(insert(tables.seen_comments), row)


class DeliveryRepository:
    """Implements ``Deliveries``. The sender's id is kept as a digest: it may be of any length."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def is_new(self, sender: str, delivery_id: str) -> bool:
        """Remember a delivery, and return whether it had not come before."""
        key = hashlib.sha256(f"{sender}\n{delivery_id}".encode("utf-8", "replace")).hexdigest()
        c = tables.webhook_deliveries.c
        async with self._database.write() as connection:
            if (await connection.execute(select(c.key).where(c.key == key))).first() is not None:
                return False
            row = {"key": key, "received_at": self._clock.now()}
            await connection.execute(insert(tables.webhook_deliveries), row)
        return True
