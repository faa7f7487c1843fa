"""Keyset paging: a page costs the same wherever it lies, and rows that come meanwhile do not shift it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, Table, select

from ai_ops.core.ports import Page
from ai_ops.store.database import Database
from ai_ops.store.rows import cursor_of, page_size, seq_of

N = TypeVar("N")


async def page(
    database: Database,
    table: Table,
    make: Callable[[RowMapping], N],
    *where: ColumnElement[bool],
    limit: int,
    cursor: str | None,
) -> Page[N]:
    """Return a page of a table's rows, newest first.

    Raises:
        PermanentError: ``invalid_cursor``.
    """
    size = page_size(limit)
    query = select(table).where(*where).order_by(table.c.seq.desc()).limit(size + 1)
    if cursor:
        query = query.where(table.c.seq < seq_of(cursor))
    return await database.look(_read, query, make, size)


def _read(connection: Connection, query: Select[Any], make: Callable[[RowMapping], N], size: int) -> Page[N]:
    """In the database's own thread: two hundred rows take their time, and the loop goes on meanwhile."""
    rows = connection.execute(query).mappings().all()
    following = cursor_of(rows[size - 1]["seq"]) if len(rows) > size else None
    return Page(tuple(make(row) for row in rows[:size]), following)
