"""Runs a prepared command under all its limits, and says which of them ended it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Protocol

from ai_ops import process
from ai_ops.core.ports import Prepared, SandboxResult, SandboxSpec
from ai_ops.flow.report import RunEnd
from ai_ops.workspace.profile import SandboxLimits
from ai_ops.workspace.quota import Quota


class Enclosed(Prepared, Protocol):
    """A prepared command whose inside can be killed without waiting."""

    @property
    def quota(self) -> Quota:
        """The account of what it writes."""
        ...

    def kill(self) -> None:
        """Kill what runs inside, as far as that can be done at once; harmless when it is gone."""
        ...


async def supervise(
    enclosed: Enclosed, spec: SandboxSpec, limits: SandboxLimits, env: dict[str, str]
) -> SandboxResult:
    """Run a prepared command to its end or its limits.

    Args:
        enclosed: the command.
        spec: has the limits on time and output.
        limits: the other ones; the child inherits those that the kernel holds.
        env: the environment of the child itself, not of what runs inside.

    Raises:
        FileNotFoundError: the sandbox's program does not exist.
    """
    guards: list[asyncio.Task[RunEnd]] = []
    began = asyncio.Event()

    def started(pid: int) -> None:
        began.set()
        task = asyncio.create_task(enclosed.watch(pid))
        # A guard that failed by itself must not leave the command unguarded.
        task.add_done_callback(lambda done: None if done.cancelled() else process.kill_group(pid))
        guards.append(task)

    running = process.run(
        enclosed.argv,
        env=env,
        limits=process.Limits(
            wall_seconds=spec.wall_seconds,
            idle_seconds=spec.idle_seconds,
            output_bytes=spec.output_limit,
            file_bytes=limits.file_bytes,
            cpu_seconds=limits.most_cpu_seconds,
        ),
        pass_fds=enclosed.pass_fds,
        merge_stderr=True,
        on_start=started,
    )
    try:
        done = await _once_begun(began, running, enclosed)
        passed = [task.result() for task in guards if task.done()]
    finally:
        for task in guards:
            task.cancel()
        await asyncio.gather(*guards, return_exceptions=True)
    end = passed[0] if passed else RunEnd(done.end.value)
    if end is RunEnd.EXITED:  # it may have been quicker than the watcher
        passed_late: RunEnd | None = await asyncio.to_thread(enclosed.quota.excess)
        end = passed_late or end
    return SandboxResult(
        end, done.exit_code if end is RunEnd.EXITED else None, done.text, done.duration_seconds
    )


async def _once_begun(
    began: asyncio.Event, running: Coroutine[None, None, process.Completed], enclosed: Enclosed
) -> process.Completed:
    """Await a child, and let a cancellation reach it only after it began.

    Before that asyncio would kill the child alone, and bubblewrap's own child would stay behind.
    """
    task = asyncio.create_task(running)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        beginning = asyncio.create_task(began.wait())
        await asyncio.wait({task, beginning}, return_when=asyncio.FIRST_COMPLETED)
        beginning.cancel()
        enclosed.kill()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise
