"""One life of the process of a ``ProcessLane``, from its start until nothing of it is left."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import os
import pickle
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ai_ops.process import clean_environment, kill_group, start
from ai_ops.store import lane_process

_WORDS = 2000
# What the drivers of databases read, so that the process reaches what this one reaches.
_OF_DRIVERS = ("HOME", "PG", "KRB5", "SSL_CERT", "LD_LIBRARY_PATH", "SQLITE")

log = logging.getLogger(__name__)


class ProcessEndedError(Exception):
    """The process ended before it answered: whether the transaction was committed is not known."""


class Life:
    """A process that gets messages and answers each, in their order.

    Args:
        order: what it is for, its first message.
        limit_seconds: how long it may take for a message, from when the one before it is answered.
    """

    def __init__(self, order: Any, limit_seconds: float) -> None:
        self._order = order
        self._limit = limit_seconds
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="process-lane-sender")
        self._receiver = ThreadPoolExecutor(1, thread_name_prefix="process-lane-receiver")
        self._sending = asyncio.Lock()
        self._last: asyncio.Future[None] | None = None  # when the last message is over
        self._line: Connection | None = None
        self._child: asyncio.subprocess.Process | None = None
        self._unwanted = False
        self.is_ready = False
        """Whether it can be given work."""

    @property
    def pid(self) -> int | None:
        """The process, as long as it is there."""
        return self._child.pid if self._child is not None and self._child.returncode is None else None

    def kill(self, *, unwanted: bool) -> None:
        """End it now; what it had not committed is rolled back. One that is ``unwanted`` ends unsaid."""
        self._unwanted = self._unwanted or unwanted
        if self.pid is not None:  # later the number may be somebody else's
            kill_group(self.pid)

    async def live(self) -> bool:
        """Start it and be there until it has ended; return whether it ended because it was idle."""
        try:
            self._line, theirs = multiprocessing.Pipe()
            with theirs:
                argv = [sys.executable, "-P", "-m", lane_process.__name__, str(theirs.fileno())]
                self._child = await start(argv, env=_environment(), pass_fds=[theirs.fileno()])
            return await self._accompany(self._child)
        except Exception:  # the edge: whatever it is, the work is done without it
            log.exception("the process beside the server did not start")
            return False
        finally:
            # Not before its threads have ended, which nobody waits for: its number will be another file's.
            self._receiver.submit(_let_go, self._sender, self._line)
            self._receiver.shutdown(wait=False)

    async def _accompany(self, child: asyncio.subprocess.Process) -> bool:
        ending = asyncio.create_task(child.communicate())
        try:
            if self._unwanted:
                self.kill(unwanted=True)
            with contextlib.suppress(ProcessEndedError):
                await self.exchange(self._order)
                self.is_ready = True
            _, words = await asyncio.shield(ending)
        finally:
            self.is_ready = False
            self.kill(unwanted=False)
            await asyncio.wait([ending])
        if child.returncode and not self._unwanted:
            said = words.decode("utf-8", "replace").strip()[-_WORDS:]
            log.warning("the process beside the server ended with %d: %s", child.returncode, said)
        return child.returncode == 0

    async def exchange(self, message: Any) -> Any:
        """Return the answer to a message.

        Raises:
            ProcessEndedError: there will be no answer any more, and none to later messages.
        """
        before, over = self._last, asyncio.get_running_loop().create_future()
        self._last = over
        exchanging = asyncio.ensure_future(self._exchange(message))
        try:
            if before is not None:
                await asyncio.wait([before, exchanging], return_when=asyncio.FIRST_COMPLETED)
            if not (await asyncio.wait([exchanging], timeout=self._limit))[0]:
                log.warning("the process beside the server gave no answer for %g seconds", self._limit)
                self.kill(unwanted=False)
            return await exchanging
        finally:
            over.set_result(None)

    async def _exchange(self, message: Any) -> Any:
        async with self._sending:  # answers come in the order of what was sent
            await self._call(self._sender, _send, message)
            answering = self._call(self._receiver, _received)
        return await answering

    def _call(
        self, thread: ThreadPoolExecutor, work: Callable[..., Any], *arguments: Any
    ) -> asyncio.Future[Any]:
        try:
            return asyncio.get_running_loop().run_in_executor(thread, work, self._line, *arguments)
        except RuntimeError as over:  # the thread has ended
            raise ProcessEndedError from over


def _send(line: Connection, message: Any) -> None:
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    try:
        line.send_bytes(data)
    except Exception as error:
        raise ProcessEndedError from error


def _received(line: Connection) -> Any:
    try:
        return line.recv()
    except Exception as error:  # half an answer is none, and the next one would not be found
        raise ProcessEndedError from error


def _let_go(sender: ThreadPoolExecutor, line: Connection | None) -> None:
    sender.shutdown()
    if line is not None:
        line.close()


def _environment() -> dict[str, str]:
    """Return what the process needs to find the modules, and the database, that this one has found."""
    modules = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    drivers = {name: value for name, value in os.environ.items() if name.startswith(_OF_DRIVERS)}
    return clean_environment({**drivers, "PYTHONPATH": modules})
