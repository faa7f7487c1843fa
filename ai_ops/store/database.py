"""The database: one writer, many readers, and the same code on SQLite and PostgreSQL.

SQLite allows one writing transaction at a time. Rather than let writers collide and wait on locks,
``write`` hands out that one transaction in turn; PostgreSQL keeps the same rule with an advisory lock,
so several servers may share it. Writer and readers have a thread each (``lane``). A commit is on the
disk when ``write`` has ended: WAL with ``synchronous=FULL``. Vendor exceptions become
``storage_unavailable`` (it may pass: locked, full, unreachable) or ``storage_failed`` here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ai_ops.core.failures import failed
from ai_ops.store.lane import Lane, Transaction
from ai_ops.store.migrate import upgrade

T = TypeVar("T")
_DRIVERS = {
    "sqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}
_WRITER_LOCK = 0x61692D6F7073  # "ai-ops", the advisory lock that PostgreSQL writers queue for
_RETRY_SECONDS = 5.0
_LOCAL_STEP = "Check free space, the disk, and whether another process holds the file."
_REMOTE_STEP = "Is the database of DATABASE_URL running, reachable, and has it free space?"
_BUSY_MILLISECONDS = 5000
_READERS = 4
_WAIT_SECONDS = 30.0
_CLOSE_SECONDS = 5.0
_CONNECT_SECONDS = 10
_PASSING = (
    "locked",
    "busy",
    "disk is full",
    "disk i/o error",
    "unable to open database",
    "readonly database",
    "malformed",
    "not a database",
)


class Database:
    """An open, migrated database. Made by ``open_database``."""

    def __init__(self, writer: Engine, reader: Engine) -> None:
        self._engines = (writer, reader)
        self._writer = Lane(writer, "writer", _interrupt)
        self._turn = asyncio.Lock()
        self._readers = [Lane(reader, f"reader-{number}", _interrupt) for number in range(_READERS)]
        self._free: asyncio.LifoQueue[Lane] = asyncio.LifoQueue()
        for lane in self._readers:
            self._free.put_nowait(lane)

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """Give the one writing transaction; it is committed at the end, rolled back by an exception.

        Raises:
            TemporaryError: ``storage_unavailable``; nothing of it was written.
            PermanentError: ``storage_failed``.
        """
        async with self._turn:
            with _named_failures():
                async with self._writer.transaction() as transaction:
                    yield transaction

    async def change(self, work: Callable[..., T], *arguments: Any) -> T:
        """Return what ``work(connection, *arguments)`` returns, committed: as ``write``, with one trip.

        A caller who is cancelled does not learn whether it was written.

        Raises:
            TemporaryError: ``storage_unavailable``; nothing of it was written.
            PermanentError: ``storage_failed``.
        """
        async with self._turn:
            with _named_failures():
                return await self._writer.once(work, *arguments)

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """Give a transaction that sees one consistent state.

        Raises:
            TemporaryError: ``storage_unavailable``.
            PermanentError: ``storage_failed``.
        """
        with _named_failures():
            async with self._reader() as lane, lane.transaction() as transaction:
                yield transaction

    async def look(self, work: Callable[..., T], *arguments: Any) -> T:
        """Return what ``work(connection, *arguments)`` reads; for one look, with one trip to the thread.

        Raises:
            TemporaryError: ``storage_unavailable``.
            PermanentError: ``storage_failed``.
        """
        with _named_failures():
            async with self._reader() as lane:
                return await lane.once(work, *arguments)

    @contextlib.asynccontextmanager
    async def _reader(self) -> AsyncIterator[Lane]:
        """Give a lane to read in, when one is free."""
        async with asyncio.timeout(_WAIT_SECONDS):
            lane = await self._free.get()
        try:
            yield lane
        finally:
            self._free.put_nowait(lane)

    async def close(self) -> None:
        """Close every connection, when the transactions that are open have ended.

        One that does not end soon is interrupted and rolled back.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS), self._turn:
                for _ in self._readers:
                    await self._free.get()
        for lane in (self._writer, *self._readers):
            await lane.end()
        for lane in self._readers:  # whoever asks is told that it is closed
            self._free.put_nowait(lane)
        for engine in self._engines:
            engine.dispose()


async def open_database(url: str) -> Database:
    """Open a database by URL and bring its schema up to date.

    Args:
        url: ``sqlite:///path``, or ``postgresql://…``. The folder of a new SQLite file is made for
            the owner alone (0700), the file too (0600).

    Raises:
        TemporaryError: ``storage_unavailable``.
        PermanentError: ``storage_url_invalid``, ``storage_failed``.
    """
    parsed = _parse(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    with _named_failures():
        if sqlite:
            await asyncio.to_thread(_prepare_file, parsed.database or "")
        writer, reader = (_sqlite if sqlite else _postgresql)(parsed)
    database = Database(writer, reader)
    try:
        async with database.write() as connection:
            await connection.run(upgrade)
    except BaseException:
        await database.close()
        raise
    return database


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (SQLAlchemyError, ValueError):
        raise failed("storage_url_invalid", next_step="Use sqlite:///data/ai_ops.db.") from None
    backend = parsed.get_backend_name()
    memory = backend == "sqlite" and parsed.database in (None, "", ":memory:")
    if backend not in _DRIVERS or memory:
        raise failed("storage_url_invalid", "Only SQLite files and PostgreSQL are supported.")
    return parsed.set(drivername=_DRIVERS[backend])  # whatever driver it named


def _prepare_file(name: str) -> None:
    """Make the file in WAL mode and its folder for the owner alone; side files get the file's mode."""
    path = Path(name)
    missing = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        _switch_to_wal(connection)


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


def _sqlite(url: URL) -> tuple[Engine, Engine]:
    def engine(begin: str, size: int) -> Engine:
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
                "cache_size=-16000",
            ):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

        event.listen(made, "connect", prepare)
        event.listen(made, "begin", lambda connection: connection.exec_driver_sql(begin))
        return made

    return engine("BEGIN IMMEDIATE", 1), engine("BEGIN", _READERS)


def _postgresql(url: URL) -> tuple[Engine, Engine]:
    def engine(size: int, **options: Any) -> Engine:
        return create_engine(
            url,
            hide_parameters=True,
            pool_size=size,
            max_overflow=0,
            pool_pre_ping=True,
            connect_args={} if "connect_timeout" in url.query else {"connect_timeout": _CONNECT_SECONDS},
            **options,
        )

    writer = engine(1)
    # Another server that is stuck must not make this one wait for ever.
    limit = f"SET LOCAL lock_timeout = '{_WAIT_SECONDS:g}s'"
    lock = f"{limit}; SELECT pg_advisory_xact_lock({_WRITER_LOCK})"
    event.listen(writer, "begin", lambda connection: connection.exec_driver_sql(lock))
    return writer, engine(_READERS, isolation_level="REPEATABLE READ")


def _interrupt(driver: Any) -> None:
    """Stop the statement of a driver's connection; SQLite's and PostgreSQL's allow it from any thread."""
    driver.interrupt() if isinstance(driver, sqlite3.Connection) else driver.cancel()


@contextlib.contextmanager
def _named_failures() -> Iterator[None]:
    """Turn what the driver, the pool and the disk raise into our two families."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        if _may_pass(error):
            raise failed(
                "storage_unavailable",
                "The database cannot be written or read now.",
                next_step=_LOCAL_STEP if _is_local(error) else _REMOTE_STEP,
                delay=_RETRY_SECONDS,
            ) from error
        raise failed("storage_failed", f"The database refused: {_reason(error)}") from error


def _is_local(error: Exception) -> bool:
    inner = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(inner, OSError | sqlite3.Error)


def _may_pass(error: Exception) -> bool:
    if isinstance(error, OSError | PoolTimeout):
        return True
    if isinstance(error, DBAPIError):
        if error.connection_invalidated or isinstance(error.orig, OSError):
            return True
        if not isinstance(error.orig, sqlite3.Error):
            # PostgreSQL's classes: 08 connection, 53 resources (disk full too), 57 operator, 40 and 55 locks.
            state = getattr(error.orig, "sqlstate", None)
            return state is None or state[:2] in ("08", "40", "53", "55", "57", "58")
        error = error.orig
    return isinstance(error, sqlite3.Error) and any(word in str(error).lower() for word in _PASSING)


def _reason(error: Exception) -> str:
    inner = error.orig if isinstance(error, DBAPIError) else error
    return type(inner).__name__
