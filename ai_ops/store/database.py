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
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from sqlalchemy.engine import URL

from ai_ops.store.engines import (
    READERS,
    WAIT_SECONDS,
    interrupt,
    parsed,
    prepare_file,
    reading_engine,
    writing_engine,
)
from ai_ops.store.lane import Lane, Transaction
from ai_ops.store.migrate import upgrade
from ai_ops.store.process_lane import ProcessLane
from ai_ops.store.storage_failures import named_failures
from ai_ops.store.turn import Turn

T = TypeVar("T")
_CLOSE_SECONDS = 5.0


class Database:
    """An open, migrated database. Made by ``open_database``."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._engines = writer, reader = writing_engine(url), reading_engine(url)
        self._writer = Lane(writer, "writer", interrupt)
        self._turn = Turn()
        self._readers = [Lane(reader, f"reader-{number}", interrupt) for number in range(READERS)]
        self._processes: list[ProcessLane[Any]] = []
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
            with named_failures():
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
            with named_failures():
                return await self._writer.once(work, *arguments)

    def beside(self, work: Callable[..., T]) -> ProcessLane[T]:
        """Return a lane for ``work(connection, *arguments)`` in a process of its own, not begun yet.

        It takes its turn with the other writers, and is ended by ``close``.
        """
        made = ProcessLane(self._url, work, self._turn)
        self._processes.append(made)
        return made

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """Give a transaction that sees one consistent state.

        Raises:
            TemporaryError: ``storage_unavailable``.
            PermanentError: ``storage_failed``.
        """
        with named_failures():
            async with self._reader() as lane, lane.transaction() as transaction:
                yield transaction

    async def look(self, work: Callable[..., T], *arguments: Any) -> T:
        """Return what ``work(connection, *arguments)`` reads; for one look, with one trip to the thread.

        Raises:
            TemporaryError: ``storage_unavailable``.
            PermanentError: ``storage_failed``.
        """
        with named_failures():
            async with self._reader() as lane:
                return await lane.once(work, *arguments)

    @contextlib.asynccontextmanager
    async def _reader(self) -> AsyncIterator[Lane]:
        """Give a lane to read in, when one is free."""
        async with asyncio.timeout(WAIT_SECONDS):
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
        for process in self._processes:
            await process.end()
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
    address = parsed(url)
    with named_failures():
        if address.get_backend_name() == "sqlite":
            await asyncio.to_thread(prepare_file, address.database or "")
        database = Database(address)
    try:
        async with database.write() as connection:
            await connection.run(upgrade)
    except BaseException:
        await database.close()
        raise
    return database
