"""Engines: how each kind of database is connected to, by URL.

SQLite: WAL with ``synchronous=FULL``, so that a commit is on the disk when it returns. PostgreSQL: a lock
makes its writers queue as SQLite's do, so several servers may share it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from ai_ops.core.failures import failed

READERS = 4
"""How many transactions may read at once."""

WAIT_SECONDS = 30.0
"""How long a caller waits for its turn, here or behind another server."""

_DRIVERS = {
    "sqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}
_WRITER_LOCK = 0x61692D6F7073  # "ai-ops", the advisory lock that PostgreSQL writers queue for
_BUSY_MILLISECONDS = 5000
_CONNECT_SECONDS = 10


def parsed(url: str) -> URL:
    """Return the URL of a database that we can use, with our driver for it.

    Raises:
        PermanentError: ``storage_url_invalid``.
    """
    try:
        found = make_url(url)
    except (SQLAlchemyError, ValueError):
        raise failed("storage_url_invalid", next_step="Use sqlite:///data/ai_ops.db.") from None
    backend = found.get_backend_name()
    memory = backend == "sqlite" and found.database in (None, "", ":memory:")
    if backend not in _DRIVERS or memory:
        raise failed("storage_url_invalid", "Only SQLite files and PostgreSQL are supported.")
    return found.set(drivername=_DRIVERS[backend])  # whatever driver it named


def prepare_file(name: str) -> None:
    """Make the file in WAL mode and its folder for the owner alone; side files get the file's mode."""
    path = Path(name)
    missing = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        _switch_to_wal(connection)


def writing_engine(url: URL) -> Engine:
    """Return the engine of the one writer: a transaction of it waits until no other writes."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, "BEGIN IMMEDIATE", 1)
    writer = _postgresql(url, 1)
    # Another server that is stuck must not make this one wait for ever.
    limit = f"SET LOCAL lock_timeout = '{WAIT_SECONDS:g}s'"
    lock = f"{limit}; SELECT pg_advisory_xact_lock({_WRITER_LOCK})"
    event.listen(writer, "begin", lambda connection: connection.exec_driver_sql(lock))
    return writer


def reading_engine(url: URL) -> Engine:
    """Return the engine of the readers: a transaction of it sees one consistent state."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, "BEGIN", READERS)
    return _postgresql(url, READERS, isolation_level="REPEATABLE READ")


def interrupt(driver: Any) -> None:
    """Stop the statement of a driver's connection; SQLite's and PostgreSQL's allow it from any thread."""
    driver.interrupt() if isinstance(driver, sqlite3.Connection) else driver.cancel()


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Switch the file for good. SQLite does not wait for this lock, so we do."""
    deadline = time.monotonic() + _BUSY_MILLISECONDS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _sqlite(url: URL, begin: str, size: int) -> Engine:
    made = create_engine(
        url,
        hide_parameters=True,
        pool_size=size,
        max_overflow=0,
        # A connection serves one lane at a time, not always the same one.
        connect_args={"isolation_level": None, "cached_statements": 256, "check_same_thread": False},
    )

    def prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={_BUSY_MILLISECONDS}",
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=MEMORY",
            # 16 MB: a page that many transactions change is carried over to the file less often.
            "wal_autocheckpoint=4000",
            "cache_size=-16000",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    event.listen(made, "connect", prepare)
    event.listen(made, "begin", lambda connection: connection.exec_driver_sql(begin))
    return made


def _postgresql(url: URL, size: int, **options: Any) -> Engine:
    return create_engine(
        url,
        hide_parameters=True,
        pool_size=size,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={} if "connect_timeout" in url.query else {"connect_timeout": _CONNECT_SECONDS},
        **options,
    )
