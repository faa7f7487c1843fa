"""What is written on local pull requests."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping, insert, select

from ai_ops.core.failures import failed
from ai_ops.core.ports import Clock
from ai_ops.flow.pull_request import CommentKind, HostedComment
from ai_ops.store import tables
from ai_ops.store.database import Database
from ai_ops.store.rows import NAME, clean


class CommentRepository:
    """Implements ``Comments``."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(
        self, pull_request_id: str, author: str, body: str, *, ours: bool, key: str, thread: str = ""
    ) -> HostedComment:
        """Keep a comment; the same ``key`` returns the one already kept.

        Raises:
            PermanentError: ``pull_request_not_found``.
        """
        identity = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{pull_request_id}#comment:{key}"))
        same = tables.comments.c.id == identity
        requests = tables.pull_requests.c
        async with self._database.write() as connection:
            known = (await connection.execute(select(tables.comments).where(same))).mappings().first()
            if known is not None:
                return _comment_from(known)
            exists = await connection.execute(select(requests.id).where(requests.id == pull_request_id))
            if exists.first() is None:
                raise failed("pull_request_not_found")
            row = {
                "id": identity,
                "pull_request_id": pull_request_id,
                "author": clean(author, NAME),
                "body": clean(body, 65_536),
                "ours": ours,
                "thread": thread or identity,
                "created_at": self._clock.now(),
            }
            await connection.execute(insert(tables.comments), row)
            kept = (await connection.execute(select(tables.comments).where(same))).mappings().one()
        return _comment_from(kept)

    async def of(self, pull_request_id: str, since: datetime | None = None) -> Sequence[HostedComment]:
        """Return the comments of a pull request that were written at or after ``since``, oldest first."""
        c = tables.comments.c
        query = select(tables.comments).where(c.pull_request_id == pull_request_id)
        if since is not None:
            query = query.where(c.created_at >= since)
        async with self._database.read() as connection:
            rows = (await connection.execute(query.order_by(c.seq))).mappings().all()
        return [_comment_from(row) for row in rows]


def _comment_from(row: RowMapping) -> HostedComment:
    return HostedComment(
        id=row["id"],
        kind=CommentKind.COMMENT,
        author=row["author"],
        body=row["body"],
        created_at=row["created_at"],
        thread=row["thread"],
        may_write=not row["ours"],  # who may write one here holds a key of this server that may review
        ours=row["ours"],
    )
