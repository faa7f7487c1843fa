"""Standard input. A file there is gone on with after a restart; what a pipe gave can be read once only.

So what was read from a pipe and not committed yet is lost with the agent; the rest waits in the pipe.
"""

from __future__ import annotations

import asyncio
import os
import select
import stat
import sys
import threading
import uuid
from collections.abc import AsyncGenerator, Mapping

from ai_ops.monitoring.checkpoint import identity_of
from ai_ops.monitoring.sources.lines import LineSplitter
from ai_ops.monitoring.sources.port import Entry, Mark

_CHUNK = 64 << 10
_LOOK_SECONDS = 0.25
_FIRST_LINE_BYTES = 1024


class StdinSource:
    """Reads lines until the end of input.

    Args:
        handle: the file descriptor to read.
    """

    def __init__(self, handle: int = 0) -> None:
        self._handle = handle
        self._over = threading.Event()

    async def entries(self, positions: Mapping[str, str]) -> AsyncGenerator[Entry | Mark, None]:
        """Yield the lines; see ``LogSource``."""
        identity, offset = _opened(self._handle, positions)
        stream = f"stdin:{identity}"
        yield Mark(stream, str(offset))
        lines = LineSplitter()
        try:
            while chunk := await self._read():
                for line, size in lines.feed(chunk):
                    yield Entry(stream, str(offset + size), "stdin", line, stream, offset)
                    offset += size
            for line, size in lines.end():
                yield Entry(stream, str(offset + size), "stdin", line, stream, offset)
        finally:
            self._over.set()

    async def _read(self) -> bytes:
        """Return what is there; nothing at the end of input."""
        if sys.platform == "win32":
            return await asyncio.to_thread(os.read, self._handle, _CHUNK)
        # Only the waiting is done in a thread: one that is left behind must not take anything away.
        await asyncio.to_thread(self._wait)
        return os.read(self._handle, _CHUNK)

    def _wait(self) -> None:
        while not self._over.is_set() and not select.select([self._handle], [], [], _LOOK_SECONDS)[0]:
            pass


def _opened(handle: int, positions: Mapping[str, str]) -> tuple[str, int]:
    """Name what lies behind a descriptor, and move it to where reading goes on."""
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        return uuid.uuid4().hex, 0
    begin = os.lseek(handle, 0, os.SEEK_CUR)
    os.lseek(handle, 0, os.SEEK_SET)
    identity = identity_of(status.st_dev, status.st_ino, 0, os.read(handle, _FIRST_LINE_BYTES))
    done = int(positions.get(f"stdin:{identity}", "0"))
    begin = max(begin, done if done <= status.st_size else 0)
    os.lseek(handle, begin, os.SEEK_SET)
    return identity, begin
