"""Ids by their beginning, as people type them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from ai_ops.store import tables
from ai_ops.store.database import Database

_TABLES = {
    "task": tables.tasks,
    "issue": tables.issues,
    "trace": tables.runs,
    "pull_request": tables.pull_requests,
    "bug_case": tables.bug_cases,
    "notification": tables.notifications,
    "schedule": tables.schedules,
    "alert": tables.alerts,
    "workflow": tables.workflows,
}


class IdRepository:
    """Implements ``Ids``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def beginning_with(self, noun: str, beginning: str, limit: int = 5) -> Sequence[str]:
        """Return ids of a noun that begin like this, in their order."""
        column = _TABLES[noun].c.id
        # The range is for the index, which LIKE does not use; ids are of 0-9, a-f and hyphens.
        span = (column >= beginning) & (column < beginning + "g")
        alike = span & column.startswith(beginning, autoescape=True)
        async with self._database.read() as connection:
            found = await connection.execute(select(column).where(alike).order_by(column).limit(limit))
            return list(found.scalars())
