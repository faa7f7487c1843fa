"""A lane: one thread in which the statements of one transaction at a time run, for callers on the loop.

The drivers are blocking ones. Each call costs one trip to the thread and back, so work of many statements
goes there whole, with ``Transaction.run``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, TypeVarTuple, cast, overload

from sqlalchemy import Connection, CursorResult, Engine, Executable
from sqlalchemy.sql.selectable import TypedReturnsRows

_SOON_SECONDS = 0.1

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
log = logging.getLogger(__name__)

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


class Transaction:
    """An open transaction."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._is_over = False

    def end(self) -> None:
        """Take no more: the lane is another transaction's from now on."""
        self._is_over = True

    @overload
    async def execute(
        self, statement: TypedReturnsRows[*Ts], parameters: Parameters = None
    ) -> CursorResult[*Ts]: ...

    @overload
    async def execute(
        self, statement: Executable, parameters: Parameters = None
    ) -> CursorResult[*tuple[Any, ...]]: ...

    async def execute(self, statement: Executable, parameters: Parameters = None) -> CursorResult[Any]:
        """Execute one statement; its rows are there when it returns."""
        return await self.run(_executed, statement, parameters)

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Return what ``work(connection, *arguments)`` returns, called in the lane's thread."""
        if self._is_over:
            raise RuntimeError("the transaction is over")
        return await self._lane.run(work, *arguments)


class Lane:
    """One thread, and the connection of the transaction that is open in it: one at a time.

    What a caller who is cancelled had begun is interrupted. What follows it, the end of the transaction
    first, waits behind it.

    Args:
        engine: makes the connections.
        name: of the thread.
        interrupt: stops the statement that a driver's connection executes; called from another thread.
    """

    def __init__(self, engine: Engine, name: str, interrupt: Callable[[Any], None]) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._interrupt_driver = interrupt
        self._connection: Connection | None = None

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Give a transaction; it is committed at the end, rolled back by an exception."""
        transaction, committed = Transaction(self), False
        try:
            await self._call(self._begin)
            yield transaction
            await self._call(self._commit)
            committed = True
        finally:
            transaction.end()
            if not committed:
                await asyncio.shield(self._leave())

    async def once(self, work: Callable[..., T], *arguments: Any) -> T:
        """Return what ``work(connection, *arguments)`` returns, a transaction of its own, in one trip."""
        done = False
        try:
            result: T = await self._call(self._whole, work, *arguments)
            done = True
            return result
        finally:
            if not done:
                await asyncio.shield(self._leave())

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Return what ``work`` returns, called with the open connection."""
        return await self._call(self._with_connection, work, *arguments)

    async def end(self) -> None:
        """Roll back what is open, and end the thread."""
        with contextlib.suppress(ConnectionError):
            await self._leave()
        await asyncio.to_thread(self._thread.shutdown)

    async def _leave(self) -> None:
        """Roll back what was not committed; what is still being executed is interrupted."""
        closing = asyncio.ensure_future(self._call(self._close))
        # Again and again: one that comes just before a statement begins stops nothing.
        while not (await asyncio.wait([closing], timeout=_SOON_SECONDS))[0]:
            if (connection := self._connection) is not None:
                await asyncio.to_thread(self._stop, connection)
        await closing

    async def _call(self, work: Callable[..., T], *arguments: Any) -> T:
        try:
            called = asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        except RuntimeError as ended:
            raise ConnectionError("the database is closed") from ended
        return await called

    def _whole(self, work: Callable[..., T], *arguments: Any) -> T:
        self._begin()
        result = self._with_connection(work, *arguments)
        self._commit()
        return result

    def _begin(self) -> None:
        self._connection = self._engine.connect()
        self._connection.begin()

    def _stop(self, connection: Connection) -> None:
        try:
            self._interrupt_driver(connection.connection.dbapi_connection)
        except Exception as gone:  # noqa: BLE001 - whatever the driver raises: it has nothing to stop
            log.debug("nothing to interrupt: %s", type(gone).__name__)

    def _with_connection(self, work: Callable[..., T], *arguments: Any) -> T:
        assert self._connection is not None, "outside of a transaction"
        try:
            return work(self._connection, *arguments)
        except StopIteration as fault:  # a future cannot carry it, its caller would wait for ever
            raise RuntimeError("StopIteration") from fault

    def _commit(self) -> None:
        if self._connection is not None:
            self._connection.commit()
            self._close()

    def _close(self) -> None:
        """Roll back what was not committed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _executed(connection: Connection, statement: Executable, parameters: Parameters) -> CursorResult[Any]:
    result = connection.execute(statement, parameters)
    if result.returns_rows:  # fetched here: the cursor belongs to this thread
        return cast("CursorResult[Any]", result.freeze()())
    return result
