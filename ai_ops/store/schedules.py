"""Schedules and their ticks: which times were due, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, delete, insert, select, update

from ai_ops.core.failures import failed
from ai_ops.core.ports import Clock, Page
from ai_ops.flow.schedule import Missed, Overlap, Schedule, Tick, TickOutcome
from ai_ops.store import tables
from ai_ops.store.database import Database
from ai_ops.store.lane import Transaction
from ai_ops.store.paging import page
from ai_ops.store.rows import clean

_FIXED = frozenset({"id", "external_id", "created_at", "updated_at"})
_CHANGEABLE = frozenset(field.name for field in fields(Schedule)) - _FIXED
MOST = 1000
"""How many schedules there may be."""


class ScheduleRepository:
    """Implements ``Schedules``."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(self, schedule: Schedule) -> tuple[Schedule, bool]:
        """Keep a new one, or return the one of the same external id, and whether it is new.

        Raises:
            PermanentError: ``too_many_schedules``.
        """
        c = tables.schedules.c
        async with self._database.write() as connection:
            if schedule.external_id is not None:
                known = await _first(connection, c.external_id == schedule.external_id)
                if known is not None:
                    return known, False
            ids = (await connection.execute(select(c.id).limit(MOST))).all()
            if len(ids) >= MOST:
                raise failed("too_many_schedules", f"there are {MOST} schedules already")
            await connection.execute(insert(tables.schedules), _row(schedule))
        return schedule, True

    async def find(self, schedule_id: str) -> Schedule | None:
        """Return a schedule."""
        async with self._database.read() as connection:
            return await _first(connection, tables.schedules.c.id == schedule_id)

    async def list(self, *, limit: int = 50, cursor: str | None = None) -> Page[Schedule]:
        """Return schedules, newest first."""
        return await page(self._database, tables.schedules, _schedule_from, limit=limit, cursor=cursor)

    async def update(self, schedule_id: str, **changes: Any) -> Schedule:
        """Change fields.

        Raises:
            PermanentError: ``schedule_not_found``.
        """
        if unknown := set(changes) - _CHANGEABLE:
            raise TypeError(f"a schedule's {', '.join(sorted(unknown))} cannot be changed")
        values = {name: _value(value) for name, value in changes.items()}
        known = tables.schedules.c.id == schedule_id
        async with self._database.write() as connection:
            values["updated_at"] = self._clock.now()
            await connection.execute(update(tables.schedules).where(known).values(values))
            return await _existing(connection, schedule_id)

    async def delete(self, schedule_id: str) -> None:
        """Forget a schedule with its ticks; its tasks stay.

        Raises:
            PermanentError: ``schedule_not_found``.
        """
        async with self._database.write() as connection:
            await _existing(connection, schedule_id)
            ticks = tables.schedule_ticks
            await connection.execute(delete(ticks).where(ticks.c.schedule_id == schedule_id))
            await connection.execute(delete(tables.schedules).where(tables.schedules.c.id == schedule_id))

    async def due(self, now: datetime, limit: int = 100) -> Sequence[Schedule]:
        """Return the enabled schedules that have a time to see to, the longest due first."""
        c = tables.schedules.c
        query = select(tables.schedules).where(c.next_at <= now).order_by(c.next_at, c.seq).limit(limit)
        async with self._database.read() as connection:
            return [_schedule_from(row) for row in (await connection.execute(query)).mappings()]

    async def record(
        self, schedule: Schedule, ticks: Sequence[Tick], *, next_at: datetime | None = None
    ) -> Schedule | None:
        """Keep what became of times, and when the next one is due, in one commit; None when it was deleted.

        A time that is on record keeps its first outcome. ``next_at`` is set unless somebody has changed the
        schedule meanwhile, whose word on it stands; None leaves it as it is.
        """
        async with self._database.write() as connection:
            now = await _first(connection, tables.schedules.c.id == schedule.id)
            if now is None:
                return None
            kept = [tick for tick in ticks if await _keep(connection, tick)]
            changes: dict[str, Any] = {}
            if kept:
                newest = max(kept, key=lambda tick: (tick.at, tick.due_at))
                made = next((tick.task_id for tick in reversed(kept) if tick.task_id), now.last_task_id)
                changes = {
                    "last_at": newest.due_at,
                    "last_outcome": newest.outcome,
                    "last_reason": clean(newest.reason, 2000),
                    "last_task_id": made,
                }
            if next_at is not None and now.next_at == schedule.next_at:
                changes["next_at"] = next_at
            if changes:
                same = tables.schedules.c.id == schedule.id
                await connection.execute(update(tables.schedules).where(same).values(changes))
            return await _existing(connection, schedule.id)

    async def ticks(self, schedule_id: str, *, limit: int = 50, cursor: str | None = None) -> Page[Tick]:
        """Return what became of a schedule's times, newest first."""
        where = tables.schedule_ticks.c.schedule_id == schedule_id
        return await page(
            self._database, tables.schedule_ticks, _tick_from, where, limit=limit, cursor=cursor
        )


async def _keep(connection: Transaction, tick: Tick) -> bool:
    """Keep a tick; False when its time is on record."""
    c = tables.schedule_ticks.c
    same = (c.schedule_id == tick.schedule_id) & (c.due_at == tick.due_at)
    if (await connection.execute(select(c.seq).where(same))).first() is not None:
        return False
    row = {**asdict(tick), "reason": clean(tick.reason, 2000)}
    await connection.execute(insert(tables.schedule_ticks), row)
    return True


async def _first(connection: Transaction, where: ColumnElement[bool]) -> Schedule | None:
    row = (await connection.execute(select(tables.schedules).where(where))).mappings().first()
    return _schedule_from(row) if row else None


async def _existing(connection: Transaction, schedule_id: str) -> Schedule:
    found = await _first(connection, tables.schedules.c.id == schedule_id)
    if found is None:
        raise failed("schedule_not_found")
    return found


def _row(schedule: Schedule) -> dict[str, Any]:
    return {field.name: _value(getattr(schedule, field.name)) for field in fields(Schedule)}


def _value(value: Any) -> Any:
    return clean(value, 2000) if type(value) is str else value


def _schedule_from(row: RowMapping) -> Schedule:
    special = {"missed", "overlap", "last_outcome"}
    return Schedule(
        **{field.name: row[field.name] for field in fields(Schedule) if field.name not in special},
        missed=Missed(row["missed"]),
        overlap=Overlap(row["overlap"]),
        last_outcome=TickOutcome(row["last_outcome"]) if row["last_outcome"] else None,
    )


def _tick_from(row: RowMapping) -> Tick:
    return Tick(
        **{field.name: row[field.name] for field in fields(Tick) if field.name != "outcome"},
        outcome=TickOutcome(row["outcome"]),
    )
