"""What all tables are made of. JSON is kept as text: the same on both databases, read as a whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Integer,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment; kept in UTC, and returned aware. A naive one is a fault of the caller.

    SQLite keeps it as text without a zone, so that text order is time order.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any] | None:
        """Return what writes it, on SQLite without the steps between."""
        return _moment_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:
        """Return what reads it."""
        return _moment_of if dialect.name == "sqlite" else super().result_processor(dialect, coltype)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Bring to UTC."""
        return None if value is None else _in_utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return it in UTC."""
        return None if value is None else value.astimezone(UTC)


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return moment.astimezone(UTC)


def _moment_text(moment: datetime | None) -> str | None:
    return None if moment is None else _in_utc(moment).replace(tzinfo=None).isoformat(" ", "microseconds")


def _moment_of(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)


_ENCODE = json.JSONEncoder(separators=(",", ":")).encode


class JsonText(TypeDecorator[Any]):
    """A JSON value as ASCII text, so that any string a program can hold survives on any database."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Write as text."""
        if value is None:
            return None
        try:
            fast = orjson.dumps(value)
        except TypeError:  # lone surrogates, and numbers beyond 64 bits
            return _ENCODE(value)
        return fast.decode() if fast.isascii() else _ENCODE(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Read from text."""
        return None if value is None else json.loads(value)


def seq() -> Column[int]:
    """Return the column that numbers the rows of a table in the order in which they came."""
    # SQLite numbers only INTEGER primary keys by itself.
    return Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)


def table(name: str, *parts: Any) -> Table:
    """Return a table whose ``seq`` never comes twice, whatever is removed."""
    return Table(name, metadata, *parts, sqlite_autoincrement=True)
