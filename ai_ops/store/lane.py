"""A lane: one thread in which the statements of one transaction at a time run, for callers on the loop.

The drivers are blocking ones. Each call costs one trip to the thread and back, so work of many statements
goes there whole, with ``Transaction.run``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, TypeVarTuple, cast, overload

from sqlalchemy import Connection, CursorResult, Engine, Executable
from sqlalchemy.sql.selectable import TypedReturnsRows

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


class Transaction:
    """An open transaction."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

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
        return await self._lane.run(_executed, statement, parameters)

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Return what ``work(connection, *arguments)`` returns, called in the lane's thread."""
        return await self._lane.run(work, *arguments)


class Lane:
    """One thread, and the connection of the transaction that is open in it: one at a time.

    A caller that is cancelled does not stop a statement that has begun. What follows it, the end of the
    transaction first, waits behind it.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._connection: Connection | None = None

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Give a transaction; it is committed at the end, rolled back by an exception."""
        try:
            await self._call(self._begin)
            yield Transaction(self)
            await self._call(self._commit)
        finally:
            await asyncio.shield(self._call(self._close))

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Return what ``work`` returns, called with the open connection."""
        return await self._call(self._with_connection, work, *arguments)

    async def end(self) -> None:
        """Wait for what was begun, and end the thread."""
        await asyncio.to_thread(self._thread.shutdown)

    async def _call(self, work: Callable[..., T], *arguments: Any) -> T:
        try:
            called = asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        except RuntimeError as ended:
            raise ConnectionError("the database is closed") from ended
        return await called

    def _begin(self) -> None:
        self._connection = self._engine.connect()
        self._connection.begin()

    def _with_connection(self, work: Callable[..., T], *arguments: Any) -> T:
        assert self._connection is not None, "outside of a transaction"
        return work(self._connection, *arguments)

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
