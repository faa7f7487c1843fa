"""The gate of a sandbox: nothing inside begins before it is confined, and nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Callable
from typing import Self

from ai_ops.workspace.confinement import confine
from ai_ops.workspace.profile import SandboxLimits


class Gate:
    """Keeps the command of one sandbox waiting until it is confined, and ends what bubblewrap leaves.

    bubblewrap's first process follows its parent only once it is set up; killed before, the parent would
    leave it behind. So the command is let in after that, and the first process is killed by name.
    """

    def __init__(self, limits: SandboxLimits) -> None:
        """Open the pipes; leaving the context closes them."""
        self._limits = limits
        self._leave: Callable[[], None] = lambda: None
        self._first: int | None = None
        self._told, self._status = os.pipe()
        self._ready, self._stands = os.pipe()
        self._waits, self._word = os.pipe()
        os.set_blocking(self._told, False)
        os.set_blocking(self._ready, False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        fds = [self._told, self._status, self._ready, self._stands, self._waits, self._word]
        for fd in [*fds, *([] if self._first is None else [self._first])]:
            os.close(fd)
        self._leave()

    @property
    def status_fd(self) -> int:
        """Where bubblewrap tells of its first process and of the exit code."""
        return self._status

    @property
    def gate_fds(self) -> tuple[int, int]:
        """Where the inside says that it stands, and where it waits."""
        return (self._stands, self._waits)

    async def release(self) -> int:
        """Wait until the sandbox stands, confine it, let the command begin; return its first process."""
        pid = json.loads(await _line(self._told))["child-pid"]
        with contextlib.suppress(ProcessLookupError):
            self._first = os.pidfd_open(pid)
        await _line(self._ready)
        self._leave = await confine(pid, self._limits)
        os.write(self._word, b"go\n")
        return int(pid)

    def kill(self) -> None:
        """Kill the first process, and with it everything inside; harmless when it is gone."""
        if self._first is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._first, signal.SIGKILL)

    def command_ended(self) -> bool:
        """Say whether bubblewrap reported an exit code: it does so only when it ran the command."""
        return b'"exit-code"' in _read_now(self._told)


async def _line(fd: int) -> bytes:
    """Return the first line that can be read; bubblewrap writes its own in pieces."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(fd, ready.set)
    told = b""
    try:
        while b"\n" not in told:
            await ready.wait()
            ready.clear()
            told += _read_now(fd)
    finally:
        loop.remove_reader(fd)
    return told.splitlines()[0]


def _read_now(fd: int) -> bytes:
    """Return what waits in a pipe; nothing when it is empty."""
    with contextlib.suppress(BlockingIOError):
        return os.read(fd, 65536)
    return b""
