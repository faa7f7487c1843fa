"""Issues and the events under them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, update

from ai_ops.core.ports import Clock, Ingested, Page
from ai_ops.errors import PermanentError
from ai_ops.flow.event import Event
from ai_ops.flow.issue import Issue, IssueState
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import Task
from ai_ops.store import tables
from ai_ops.store.database import Database
from ai_ops.store.group_commit import GroupCommit
from ai_ops.store.intake_batch import IntakeBatch
from ai_ops.store.paging import page
from ai_ops.store.rows import issue_from

_Batch = Sequence[tuple[Event, Repository]]


class IssueRepository:
    """Implements ``Issues``. ``ingest`` trusts the fingerprint it is given and expects redacted text."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._commits: GroupCommit[_Batch, Ingested] = GroupCommit(self._ingest, weight=len)

    async def ingest(self, events: Sequence[tuple[Event, Repository]]) -> Ingested:
        """Take events and return when they are on the disk; concurrent callers share a commit.

        Raises:
            TemporaryError: ``storage_unavailable``; nothing of this call is acknowledged.
        """
        return await self._commits.submit(events) if events else Ingested(0, 0)

    async def _ingest(self, calls: Sequence[_Batch]) -> list[Ingested]:
        everything = [pair for events in calls for pair in events]
        async with self._database.write() as connection:
            batch = await IntakeBatch.load(connection, everything, self._clock.now())
            answers = [_take(batch, events) for events in calls]
            await batch.flush()
        return answers

    async def find(self, issue_id: str) -> Issue | None:
        """Return an issue."""
        query = select(tables.issues).where(tables.issues.c.id == issue_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        return issue_from(row) if row else None

    async def list(self, *, limit: int = 50, cursor: str | None = None) -> Page[Issue]:
        """Return issues, newest first."""
        return await page(self._database, tables.issues, issue_from, limit=limit, cursor=cursor)

    async def set_state(self, issue_id: str, state: IssueState) -> Issue:
        """Record a decision about an issue: ignored, resolved (as of now), or open again.

        Raises:
            PermanentError: ``issue_not_found``.
        """
        resolved_at = self._clock.now() if state is IssueState.RESOLVED else None
        known = tables.issues.c.id == issue_id
        async with self._database.write() as connection:
            await connection.execute(
                update(tables.issues).where(known).values(state=state, resolved_at=resolved_at)
            )
            row = (await connection.execute(select(tables.issues).where(known))).mappings().first()
        if row is None:
            raise PermanentError("issue_not_found", "There is no such issue.")
        return issue_from(row)


def _take(batch: IntakeBatch, events: _Batch) -> Ingested:
    accepted = 0
    tasks: list[Task] = []
    for event, repository in events:
        new, task = batch.take(event, repository)
        accepted += new
        if task:
            tasks.append(task)
    return Ingested(accepted, len(events) - accepted, tuple(tasks))
