"""Counts what is stored, for metrics and checks of health."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import func, select

from ai_ops.core.ports import StoredFigures
from ai_ops.flow.notification import NotificationState
from ai_ops.flow.task import TaskState
from ai_ops.store import tables
from ai_ops.store.database import Database
from ai_ops.store.tables import UtcDateTime


class FigureRepository:
    """Implements ``Figures``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self) -> StoredFigures:
        """Count it now, in one consistent state."""
        tasks, issues, pulls, told = (
            tables.tasks.c,
            tables.issues.c,
            tables.pull_requests.c,
            tables.notifications.c,
        )
        waits = func.min(tasks.updated_at, type_=UtcDateTime())
        pending = select(waits).where(tasks.state == TaskState.PENDING.value)
        late = func.min(told.released_at, type_=UtcDateTime())
        unsent = select(late).where(
            told.state == NotificationState.PENDING.value, told.released_at.is_not(None)
        )
        async with self._database.read() as connection:
            by_kind = await connection.execute(
                select(tasks.kind, tasks.state, func.count()).group_by(tasks.kind, tasks.state)
            )
            by_issue = await connection.execute(select(issues.state, func.count()).group_by(issues.state))
            by_pull = await connection.execute(select(pulls.state, func.count()).group_by(pulls.state))
            by_way = await connection.execute(
                select(told.way, told.state, func.count()).group_by(told.way, told.state)
            )
            return StoredFigures(
                {(kind, state): number for kind, state, number in by_kind},
                _by_state(by_issue),
                _by_state(by_pull),
                {(way, state): number for way, state, number in by_way},
                (await connection.execute(pending)).scalar(),
                (await connection.execute(unsent)).scalar(),
            )


def _by_state(rows: Iterable[Any]) -> dict[str, int]:
    return {state: number for state, number in rows}  # noqa: C416 - a row is no pair to mypy
