"""A lane in a process of its own: one kind of transaction, beside the interpreter that all else shares.

To receive events and to write them is Python's work for the most part, and threads of one process do it by
turns. Here the second half has a processor of its own. The writer's turn is held meanwhile, so the two
processes never write at once; what one has committed the other sees.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import os
import pickle
import sys
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

from sqlalchemy.engine import URL

from ai_ops.process import clean_environment, kill_group, start
from ai_ops.store import lane_process
from ai_ops.store.lane_messages import Answer, Order
from ai_ops.store.turn import Turn

IDLE_SECONDS = 600.0
"""After how long without work the process ends."""

_AGAIN_SECONDS = 60.0
_WORDS = 2000

T = TypeVar("T")
log = logging.getLogger(__name__)


class ProcessEndedError(Exception):
    """The process ended before it answered: whether the transaction was committed is not known."""


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
        self._order = Order(url.render_as_string(hide_password=False), work, idle_seconds)
        self._turn = turn
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="process-lane-sender")
        self._receiver = ThreadPoolExecutor(1, thread_name_prefix="process-lane-receiver")
        self._sending = asyncio.Lock()
        self._under_way = 0
        self._line: Connection | None = None
        self._life: asyncio.Task[None] | None = None
        self._pid: int | None = None
        self._not_before = 0.0

    @property
    def pid(self) -> int | None:
        """The process, once it can be given work."""
        return self._pid if self._line is not None else None

    def begin(self) -> None:
        """Start the process, if there is none and none has just failed; some moments later it has a pid."""
        if (self._life is None or self._life.done()) and time.monotonic() >= self._not_before:
            self._life = asyncio.create_task(self._live(), name="process-lane")

    async def once(self, *arguments: Any) -> T:
        """Return what the work returns for these, committed.

        A caller who comes while another one's work is under way has its own handed over already, so that the
        process need not wait for it.

        Raises:
            ProcessEndedError: the same may be given to the work again, here, if it can bear that.
            TemporaryError: ``storage_unavailable``; nothing of it was written.
            PermanentError: ``storage_failed``.
        """
        async with self._shared_turn():
            line = self._line
            if line is None:
                raise ProcessEndedError
            exchange = asyncio.ensure_future(self._exchange(line, arguments))
            try:
                answer = await asyncio.shield(exchange)
            except (EOFError, OSError) as gone:
                if self._line is line:
                    self._line = None
                raise ProcessEndedError from gone
            except asyncio.CancelledError:
                # Nobody else may write while it still might.
                await self._stop()
                await asyncio.wait([exchange])
                raise
        result: T = answer.unwrap()
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

    async def _exchange(self, line: Connection, message: Any) -> Answer:
        async with self._sending:  # answers come in the order of what was sent
            await self._call(self._sender, _send, line, message)
            answering = self._call(self._receiver, _received, line)
        answer: Answer = await answering
        return answer

    async def end(self) -> None:
        """End the process; what it had not committed is rolled back."""
        self._not_before = float("inf")
        await self._stop()
        for thread in (self._sender, self._receiver):
            await asyncio.to_thread(thread.shutdown)

    async def _stop(self) -> None:
        if self._life is not None:
            self._life.cancel()
            await asyncio.wait([self._life])

    def _call(
        self, thread: ThreadPoolExecutor, work: Callable[..., Any], *arguments: Any
    ) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().run_in_executor(thread, work, *arguments)

    async def _live(self) -> None:
        """Start the process and be there until it has ended."""
        self._not_before = time.monotonic() + _AGAIN_SECONDS
        line, theirs = multiprocessing.Pipe()
        try:
            with theirs:
                argv = [sys.executable, "-P", "-m", lane_process.__name__, str(theirs.fileno())]
                child = await start(argv, env=_environment(), pass_fds=[theirs.fileno()])
            self._pid = child.pid
            ending = asyncio.create_task(child.communicate())
            try:
                (await asyncio.shield(asyncio.ensure_future(self._exchange(line, self._order)))).unwrap()
                self._line = line
                _, words = await asyncio.shield(ending)
            finally:
                self._line = None
                kill_group(child.pid)
                await asyncio.wait([ending])
        except Exception:  # the edge: whatever it is, the work is done without it
            log.exception("the process beside the server did not start")
        else:
            if child.returncode:
                said = words.decode("utf-8", "replace").strip()[-_WORDS:]
                log.warning("the process beside the server ended with %d: %s", child.returncode, said)
            else:
                self._not_before = 0.0
        finally:
            # When no thread uses it any more: the number would be another file's.
            for thread in (self._sender, self._receiver):
                await asyncio.wait([self._call(thread, int)])
            line.close()


def _send(line: Connection, message: Any) -> None:
    line.send_bytes(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))


def _received(line: Connection) -> Answer:
    answer: Answer = line.recv()
    return answer


def _environment() -> dict[str, str]:
    """Return what a process needs to find the modules that this one has found."""
    found = os.pathsep.join(path or str(os.getcwd()) for path in sys.path)  # noqa: PTH109
    return clean_environment({"PYTHONPATH": found})
