"""What every batch of events asks and writes, prepared once for a dialect."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Table, select

from ai_ops.store import tables
from ai_ops.store.prepared import LONGEST, Moments, Reading, Writing, inserting, padded, places, updating

EVENT = tuple(column.name for column in tables.events.c if column.name != "seq")
"""The columns of a stored event."""


def taken_before(connection: Connection, event_ids: Sequence[str]) -> set[str]:
    """Return which of these events are stored or counted already."""
    found: set[str] = set()
    for start in range(0, len(event_ids), LONGEST):
        some = padded(event_ids[start : start + LONGEST])
        for table in (tables.events, tables.counted_events):
            found.update(
                row[0] for row in _among(table, len(some), connection.dialect).rows(connection, some)
            )
    return found


def write_events(
    connection: Connection, stored: Iterable[list[Any]], counted: Iterable[list[Any]], moments: Moments
) -> None:
    """Insert events: rows of ``EVENT``, and those that are only counted, as id and time."""
    _event(connection.dialect).execute(connection, stored, moments)
    _counted(connection.dialect).execute(connection, counted, moments)


def update_issues(
    connection: Connection, names: Collection[str], rows: Iterable[list[Any]], moments: Moments
) -> None:
    """Write some columns of issues: rows of these columns in the order of the table, and ``seq``."""
    _issue(tuple(names), connection.dialect).execute(connection, rows, moments)


@functools.lru_cache(maxsize=64)
def _among(table: Table, number: int, dialect: Dialect) -> Reading:
    ids = places("id", number)
    return Reading(
        select(table.c.event_id).where(table.c.event_id.in_(ids)), [one.key for one in ids], dialect
    )


@functools.lru_cache(maxsize=8)
def _event(dialect: Dialect) -> Writing:
    return inserting(_columns(tables.events, EVENT), dialect)


@functools.lru_cache(maxsize=8)
def _counted(dialect: Dialect) -> Writing:
    return inserting(_columns(tables.counted_events, ("event_id", "received_at")), dialect)


@functools.lru_cache(maxsize=32)
def _issue(names: tuple[str, ...], dialect: Dialect) -> Writing:
    return updating(_columns(tables.issues, names), tables.issues.c.seq, dialect)


def _columns(table: Table, names: Sequence[str]) -> list[Column[Any]]:
    return [table.c[name] for name in names]
