"""What goes on beside the runs as long as the server does, whatever happens to it.

A duty catches what it expects. What nobody expected, a disk that fails or a record that cannot be read, ended
it for good and unsaid: schedules stood still, and no health check was left to tell. It begins anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 5.0

Run = Callable[[], Awaitable[None]]
"""Works until it is cancelled."""


def begin(stack: AsyncExitStack, name: str, run: Run) -> None:
    """Begin a duty that is cancelled when the stack is left."""
    stack.push_async_callback(_cancel, asyncio.create_task(unending(name, run), name=name))


async def unending(name: str, run: Run, again_seconds: float = _AGAIN_SECONDS) -> None:
    """Run a duty until cancelled; one that breaks off is told and begins again."""
    while True:
        try:
            await run()
        except Exception:  # the edge: whatever it is, the next try may go well
            log.exception("%s broke off, and begins again", name)
        await asyncio.sleep(again_seconds)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
