"""Statements that are compiled once and then executed with values that the driver takes as they are.

SQLAlchemy looks at each value of each row at each execution, which costs intake more than the database does.
Here its compiler gives the text and its types the converters, once; so both databases are spoken to as
everywhere else. Meant for the few statements that every batch of events executes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    Column,
    Connection,
    Dialect,
    Insert,
    Select,
    Table,
    Update,
    bindparam,
    insert,
    update,
)
from sqlalchemy.types import TypeEngine

from ai_ops.store.tables import UtcDateTime

Convert = Callable[[Any], Any]

LONGEST = 512
"""How many values a list for ``IN`` has at most."""


class Moments(dict[datetime | None, Any]):
    """What a driver takes for a moment: converted once, however many rows of a transaction name it."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__({None: None})
        self._convert = _to_driver(UtcDateTime(), dialect)

    def __missing__(self, at: datetime | None) -> Any:
        """Convert one that was not named yet."""
        found = self[at] = self._convert(at) if self._convert else at
        return found


class Writing:
    """An insert, or an update by key, for one dialect. ``columns`` are its parameters, in their order."""

    def __init__(self, statement: Insert | Update, columns: Sequence[Column[Any]], dialect: Dialect) -> None:
        names = [_parameter(column) for column in columns]
        self._text = _Text(statement, names, dialect)
        kinds = list(enumerate(column.type for column in columns))
        self._moments = [at for at, kind in kinds if isinstance(kind, UtcDateTime)]
        others = [(at, _to_driver(kind, dialect)) for at, kind in kinds if at not in self._moments]
        self._others = [(at, convert) for at, convert in others if convert is not None]

    def execute(self, connection: Connection, rows: Iterable[list[Any]], moments: Moments) -> None:
        """Execute it for each row, a list of our values in the order of the columns.

        The lists are used up: their values become the driver's.
        """
        given = []
        for row in rows:
            for at in self._moments:
                row[at] = moments[row[at]]
            for at, convert in self._others:
                if row[at] is not None:
                    row[at] = convert(row[at])
            given.append(self._text.given(row))
        if given:
            connection.exec_driver_sql(self._text.sql, given)


class Reading:
    """A query for one dialect; ``names`` are its parameters, in their order."""

    def __init__(self, query: Select[Any], names: Sequence[str], dialect: Dialect) -> None:
        self._text = _Text(query, names, dialect)
        self._kinds = [column.type for column in query.selected_columns]
        self._converts: list[tuple[int, Convert]] | None = None

    def rows(self, connection: Connection, values: Sequence[Any]) -> list[list[Any]]:
        """Return what it selects for the driver's values, in our own."""
        result = connection.exec_driver_sql(self._text.sql, self._text.given(values))
        if self._converts is None:  # what a driver calls a column's type is known from its first answer on
            codes = [column[1] for column in result.cursor.description]
            self._converts = _from_driver(self._kinds, codes, connection.dialect)
        found = [list(row) for row in result]
        for row in found:
            for at, convert in self._converts:
                row[at] = convert(row[at])
        return found


class _Text:
    """The text of a statement, and how its driver wants the values: by position or by name."""

    def __init__(
        self, statement: Insert | Update | Select[Any], names: Sequence[str], dialect: Dialect
    ) -> None:
        compiled = statement.compile(dialect=dialect)
        if compiled.positional and compiled.positiontup != list(names):
            raise ValueError(f"the statement takes {compiled.positiontup}")
        self.sql = compiled.string
        self._names = None if compiled.positional else tuple(names)

    def given(self, values: Sequence[Any]) -> tuple[Any, ...] | dict[str, Any]:
        return tuple(values) if self._names is None else dict(zip(self._names, values, strict=True))


def inserting(columns: Sequence[Column[Any]], dialect: Dialect) -> Writing:
    """Return the insert of these columns, which are named in the order of their table."""
    statement = insert(_table_of(columns)).values(_bound(columns)).inline()
    return Writing(statement, columns, dialect)


def updating(columns: Sequence[Column[Any]], key: Column[Any], dialect: Dialect) -> Writing:
    """Return the update of these columns, named in the order of their table; the row's key is given last."""
    statement = update(_table_of(columns)).where(key == bindparam(_parameter(key))).values(_bound(columns))
    return Writing(statement, [*columns, key], dialect)


def places(prefix: str, number: int) -> list[BindParameter[Any]]:
    """Return the parameters of a list for ``IN``."""
    return [bindparam(f"{prefix}{n}") for n in range(number)]


def padded(values: Sequence[str]) -> list[str]:
    """Return a list for ``IN``, the last repeated up to a power of two: few lengths are few statements."""
    missing = (1 << (len(values) - 1).bit_length()) - len(values)
    return [*values, *([values[-1]] * missing)]


def _bound(columns: Sequence[Column[Any]]) -> dict[str, BindParameter[Any]]:
    return {column.name: bindparam(_parameter(column)) for column in columns}


def _parameter(column: Column[Any]) -> str:
    return f"b_{column.name}"  # the bare name is SQLAlchemy's own


def _table_of(columns: Sequence[Column[Any]]) -> Table:
    return columns[0].table


def _to_driver(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _from_driver(
    kinds: Sequence[TypeEngine[Any]], codes: Sequence[object], dialect: Dialect
) -> list[tuple[int, Convert]]:
    pairs = enumerate(zip(kinds, codes, strict=True))
    found = [(at, kind.dialect_impl(dialect).result_processor(dialect, code)) for at, (kind, code) in pairs]
    return [(at, convert) for at, convert in found if convert is not None]
