"""A lane in a process of its own: one kind of transaction, beside the interpreter that all else shares.

To receive events and to write them is Python's work for the most part, and threads of one process do it by
turns. Here the second half has a processor of its own. The writer's turn is held meanwhile, so the two
processes never write at once; what one has committed the other sees.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Generic, TypeVar

from sqlalchemy.engine import URL

from ai_ops.store.lane_life import Life, ProcessEndedError
from ai_ops.store.turn import Turn

IDLE_SECONDS = 600.0
"""After how long without work the process ends."""

_AGAIN_SECONDS = 60.0
_LIMIT_SECONDS = 60.0  # longer than any wait for a lock
_END_SECONDS = 5.0
_MOMENT_SECONDS = 1.0

T = TypeVar("T")


class ProcessLane(Generic[T]):
    """Runs ``work(connection, *arguments)``, one whole transaction at a time, in a process.

    Args:
        url: of the database, which is there and has its tables.
        work: a function that can be pickled, and so can what it takes and returns.
        turn: what every writer of this process holds while it writes.
        idle_seconds: after how long without work the process ends by itself.
    """

    def __init__(
        self, url: URL, work: Callable[..., T], turn: Turn, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self._order = (url.render_as_string(hide_password=False), work, idle_seconds)
        self._turn = turn
        self._under_way = 0
        self._life: Life | None = None
        self._living: asyncio.Task[None] | None = None
        self._not_before = 0.0
        self._is_over = False

    @property
    def pid(self) -> int | None:
        """The process, while it can be given work."""
        return self._life.pid if self._life is not None and self._life.is_ready else None

    def begin(self) -> None:
        """Start the process, if there is none and none has just failed; some moments later it has a pid."""
        there = self._living is not None and not self._living.done()
        if not there and not self._is_over and time.monotonic() >= self._not_before:
            self._life = Life(self._order, _LIMIT_SECONDS)
            self._living = asyncio.create_task(self._live(self._life), name="process-lane")

    async def _live(self, life: Life) -> None:
        if not await life.live():
            self._not_before = time.monotonic() + _AGAIN_SECONDS

    async def once(self, *arguments: Any) -> T:
        """Return what the work returns for these, committed.

        A caller who comes while another one's work is under way has its own handed over already, so that the
        process need not wait for it.

        Raises:
            ProcessEndedError: the process is not there, or failed. Whether the transaction was committed is
                not known; who can bear that may do the work again here, and meets the failure if it lasts.
        """
        async with self._shared_turn():
            life, living = self._life, self._living
            if life is None or living is None or not life.is_ready:
                raise ProcessEndedError
            exchange = asyncio.ensure_future(life.exchange(arguments))
            try:
                result: T = await asyncio.shield(exchange)
            except BaseException as failure:
                # Nobody else may write while it still might. One that is ending says why, in a moment.
                moment = _MOMENT_SECONDS if isinstance(failure, ProcessEndedError) else 0.0
                unwanted = isinstance(failure, asyncio.CancelledError)
                kill = asyncio.get_running_loop().call_later(moment, partial(life.kill, unwanted=unwanted))
                try:
                    await _wait_out(living, exchange)
                finally:
                    kill.cancel()
                raise
            return result

    @contextlib.asynccontextmanager
    async def _shared_turn(self) -> AsyncIterator[None]:
        """Hold the writer's turn; where this lane has it and nobody else waits for it, there is no wait."""
        if not self._under_way or self._turn.wanted:
            await self._turn.acquire()
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._turn.release()

    async def end(self) -> None:
        """End the process for good; what it had not committed is rolled back."""
        self._is_over = True
        if self._life is not None and self._living is not None:
            self._life.kill(unwanted=True)
            await asyncio.wait([self._living], timeout=_END_SECONDS)


async def _wait_out(*tasks: asyncio.Future[Any]) -> None:
    """Wait until these are over, whatever comes of them, and however often the caller is cancelled."""
    cancelled: asyncio.CancelledError | None = None
    while pending := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            cancelled = error
    await asyncio.gather(*tasks, return_exceptions=True)  # at once; no failure is left unread
    if cancelled is not None:
        raise cancelled
