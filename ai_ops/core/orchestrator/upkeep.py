"""What is done from time to time without anybody asking: repairs that waited begin, what is too old goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

from ai_ops.core.orchestrator.duty_rounds import again_and_again
from ai_ops.core.ports import Engine, Issues
from ai_ops.core.telling import queued
from ai_ops.flow.task import Task

log = logging.getLogger(__name__)

_RELEASE_SECONDS = 30.0
_SWEEP_SECONDS = 3600.0


class Sweeps(Protocol):
    """Removes what is older than it may be."""

    async def sweep(self) -> None:
        """Remove all that is too old, a little at a time."""
        ...


class Upkeep:
    """The duties of a server, each at its own pace. A failure is told and tried again at the next turn.

    Args:
        issues: whose repairs may have waited.
        engine: takes what begins.
        retention: removes what is too old.
        redact: masks what is told.
        begins: return further tasks that may begin now.
        duties: are done at the same pace.
    """

    def __init__(
        self,
        issues: Issues,
        engine: Engine,
        retention: Sweeps,
        redact: Callable[[str], str],
        *,
        begins: Sequence[Callable[[], Awaitable[Sequence[Task]]]] = (),
        duties: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        self._issues = issues
        self._engine = engine
        self._retention = retention
        self._redact = redact
        self._begins = begins
        self._duties = duties

    async def run(self) -> None:
        """Do them until cancelled."""
        async with asyncio.TaskGroup() as duties:
            duties.create_task(again_and_again("upkeep", _RELEASE_SECONDS, self.release))
            duties.create_task(again_and_again("upkeep", _SWEEP_SECONDS, self._retention.sweep))
            for begin in self._begins:
                duties.create_task(again_and_again("upkeep", _RELEASE_SECONDS, partial(self._begin, begin)))
            for duty in self._duties:
                duties.create_task(again_and_again("upkeep", _RELEASE_SECONDS, duty))

    async def release(self) -> None:
        """Begin the repairs that waited for a flood of errors to pass, as far as there is room."""
        await self._begin(self._issues.release_waiting)

    async def _begin(self, begin: Callable[[], Awaitable[Sequence[Task]]]) -> None:
        for task in await begin():
            log.info("%s", queued(task, self._redact))
            await self._engine.enqueue(task)
