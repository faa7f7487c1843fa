"""Run a child process: argv only, a clean environment, limits, and no survivors.

Every child the product starts goes through ``run``. The child leads its own process group and gets
a parent-death signal, so that neither a cancelled task nor ``kill -9`` of the server leaves it behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from ai_ops.launch import launch

_CHUNK = 65536


class End(StrEnum):
    """How a child came to its end."""

    EXITED = "exited"
    WALL_TIMEOUT = "wall_timeout"
    IDLE_TIMEOUT = "idle_timeout"
    OUTPUT_LIMIT = "output_limit"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may use. Seconds and bytes; ``None`` is no limit.

    ``idle_seconds`` counts time without output. ``file_bytes``, ``cpu_seconds`` and ``processes`` are
    kernel limits (rlimits) that the whole tree inherits.
    """

    wall_seconds: float = 600.0
    idle_seconds: float | None = None
    output_bytes: int = 10_000_000
    file_bytes: int | None = None
    cpu_seconds: int | None = None
    processes: int | None = None


@dataclass(frozen=True, slots=True)
class Completed:
    """A finished child. ``exit_code`` is negative for a signal."""

    end: End
    exit_code: int
    stdout: bytes
    stderr: bytes
    duration_seconds: float

    @property
    def ok(self) -> bool:
        """Whether it ended by itself with 0."""
        return self.end is End.EXITED and self.exit_code == 0

    @property
    def text(self) -> str:
        """Return stdout as text, undecodable bytes replaced."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def complaint(self) -> str:
        """Return the last words of stderr, for messages."""
        return self.stderr[-4000:].decode("utf-8", "replace").strip()


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a small environment: a search path, a UTF-8 locale, and what is added."""
    return {
        "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        **(extra or {}),
    }


def _kernel(limits: Limits) -> dict[int, int | None]:
    return {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_CPU: limits.cpu_seconds,
        resource.RLIMIT_NPROC: limits.processes,
    }


def kill_group(pid: int) -> None:
    """Kill every process of the group that ``pid`` leads; harmless when it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


@dataclass(slots=True)
class Children:
    """The children started within ``gathered``. ``words`` counts the chunks that they have printed."""

    pids: set[int] = field(default_factory=set)
    words: int = 0


_gathering: ContextVar[Children | None] = ContextVar("children", default=None)


@contextlib.contextmanager
def gathered() -> Iterator[Children]:
    """Gather the children that this task, and tasks it begins, start while entered.

    Those of ``run`` are taken out when they have ended; of the others some may be gone.
    """
    children = Children()
    token = _gathering.set(children)
    try:
        yield children
    finally:
        _gathering.reset(token)


class _Output:
    """Collects what a child prints, keeps the time of the last word and the total."""

    def __init__(self, limit: int, on_output: Callable[[bytes], None] | None) -> None:
        self.parts: dict[int, bytearray] = {1: bytearray(), 2: bytearray()}
        self.last_word = time.monotonic()
        self.too_much = asyncio.Event()
        self._left = limit
        self._on_output = on_output

    async def drain(self, stream: asyncio.StreamReader, number: int) -> None:
        while chunk := await stream.read(_CHUNK):
            self.last_word = time.monotonic()
            if children := _gathering.get():
                children.words += 1
            if self._left <= 0:
                self.too_much.set()
                continue
            kept = chunk[: self._left]
            self._left -= len(chunk)
            self.parts[number] += kept
            if self._on_output:
                self._on_output(kept)


async def _feed(stream: asyncio.StreamWriter, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream.write(data)
        await stream.drain()
    stream.close()


async def _exited(child: asyncio.subprocess.Process) -> None:
    """Return when the child itself has ended.

    ``Process.wait`` also waits for the pipes, which a background grandchild may hold open for ever.
    """
    loop = asyncio.get_running_loop()
    try:
        handle = os.pidfd_open(child.pid)
    except (AttributeError, OSError):  # not Linux, or reaped already
        while child.returncode is None:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.02)
        return
    gone = asyncio.Event()
    loop.add_reader(handle, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)


async def _until_limit(output: _Output, limits: Limits, started: float) -> End:
    """Return when a limit is passed."""
    while True:
        now = time.monotonic()
        ends = [started + limits.wall_seconds]
        if limits.idle_seconds is not None:
            ends.append(output.last_word + limits.idle_seconds)
        if now >= ends[0]:
            return End.WALL_TIMEOUT
        if now >= ends[-1]:
            return End.IDLE_TIMEOUT
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(output.too_much.wait(), min(ends) - now)
            return End.OUTPUT_LIMIT


async def start(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    limits: Limits | None = None,
    pass_fds: Sequence[int] = (),
    line_bytes: int = _CHUNK,
) -> asyncio.subprocess.Process:
    """Start a child that is talked to over its pipes; the caller ends it with ``kill_group`` and waits.

    It leads its own process group and dies with this process. Of ``limits`` only the kernel's apply;
    ``line_bytes`` is the longest line that ``stdout.readline`` takes.

    Raises:
        FileNotFoundError: the program does not exist.
    """
    pipe = asyncio.subprocess.PIPE
    begin = launch(argv, env, cwd, _kernel(limits or Limits()))
    child = await asyncio.create_subprocess_exec(
        *begin.argv,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        env=dict(env),
        cwd=cwd,
        limit=line_bytes,
        start_new_session=True,
        preexec_fn=begin.prepare,
        pass_fds=tuple(pass_fds),
    )
    if children := _gathering.get():
        children.pids.add(child.pid)
    return child


async def _begun(starting: Coroutine[Any, Any, asyncio.subprocess.Process]) -> asyncio.subprocess.Process:
    """Return the child; cancelled meanwhile, it is waited for and killed with all that it started.

    Left alone, a cancelled start kills the child only, and then waits for whoever holds its pipes.
    """
    task = asyncio.ensure_future(starting)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with contextlib.suppress(OSError):
            kill_group((await task).pid)
        raise


async def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: bytes = b"",
    limits: Limits | None = None,
    pass_fds: Sequence[int] = (),
    merge_stderr: bool = False,
    on_output: Callable[[bytes], None] | None = None,
    on_start: Callable[[int], None] | None = None,
) -> Completed:
    """Run ``argv`` to its end or its limits, and leave none of its process group alive.

    Args:
        argv: the program and its arguments; there is no shell.
        env: the whole environment of the child.
        cwd: its working folder.
        stdin: what it reads; it sees the end of input after that.
        limits: what it may use.
        pass_fds: file descriptors it inherits.
        merge_stderr: put stderr into ``stdout`` in the order of writing.
        on_output: called with each chunk as it comes, both streams.
        on_start: called with the pid, which leads the process group.

    Raises:
        FileNotFoundError: the program does not exist.
    """
    limits = limits or Limits()
    started = time.monotonic()
    begin = launch(argv, env, cwd, _kernel(limits))
    child = await _begun(
        asyncio.create_subprocess_exec(
            *begin.argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT if merge_stderr else asyncio.subprocess.PIPE,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
            preexec_fn=begin.prepare,
            pass_fds=tuple(pass_fds),
        )
    )
    children = _gathering.get() or Children()
    children.pids.add(child.pid)
    if on_start:
        on_start(child.pid)
    output = _Output(limits.output_bytes, on_output)
    end = await _to_its_end(child, children, stdin, output, limits, started)
    return Completed(
        end,
        child.returncode if child.returncode is not None else -1,
        bytes(output.parts[1]),
        bytes(output.parts[2]),
        time.monotonic() - started,
    )


async def _to_its_end(
    child: asyncio.subprocess.Process,
    children: Children,
    stdin: bytes,
    output: _Output,
    limits: Limits,
    started: float,
) -> End:
    """Wait until the child ends or reaches a limit, and leave none of its process group alive."""
    streams = [(child.stdout, 1), (child.stderr, 2)]
    drains = [asyncio.create_task(output.drain(s, n)) for s, n in streams if s is not None]
    if child.stdin is None:  # pragma: no cover - asked for a pipe above
        raise RuntimeError("the child has no stdin")
    feeding = asyncio.create_task(_feed(child.stdin, stdin))
    exiting = asyncio.create_task(_exited(child))
    watching = asyncio.create_task(_until_limit(output, limits, started))
    try:
        await asyncio.wait({exiting, watching}, return_when=asyncio.FIRST_COMPLETED)
        end = End.EXITED if exiting.done() else watching.result()
    finally:
        kill_group(child.pid)
        children.pids.discard(child.pid)
        watching.cancel()
        feeding.cancel()
        reaping = asyncio.create_task(child.wait())
        try:
            # A grandchild that left the group may hold the pipes open; it is not waited for.
            await asyncio.wait({reaping, *drains}, timeout=2.0)
            for task in (exiting, reaping, *drains):
                task.cancel()
            await asyncio.gather(watching, feeding, exiting, reaping, *drains, return_exceptions=True)
        finally:
            # Our ends of them would stay open as long as it. There is no public way to close them.
            transport = child._transport  # type: ignore[attr-defined]
            if (stdin := transport.get_pipe_transport(0)) is not None and stdin.get_write_buffer_size():
                stdin.abort()  # closed, it would wait for somebody to read
            transport.close()
    return End.OUTPUT_LIMIT if end is End.EXITED and output.too_much.is_set() else end
