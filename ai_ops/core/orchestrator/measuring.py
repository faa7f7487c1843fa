"""Measures an installation for the checks of its health. Whatever fails is itself a measure."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from ai_ops.core.orchestrator.crew import Crew
from ai_ops.core.orchestrator.together import together
from ai_ops.core.ports import Clock, Figures, Pauses, StoredFigures
from ai_ops.errors import AiOpsError
from ai_ops.flow.health import HostUse, Reached, Vitals


class Measuring:
    """Implements ``Gauges``.

    Args:
        host: measures the host; it is called in a thread.
        ready: writes to the database and takes it back; raises when that fails.
        figures: count what is stored.
        crew: the workers.
        pauses: whether the queue is paused.
        clock: the time.
        peers: by name, what asks a service whether it answers.
        monotonic: seconds that only grow, against which jumps of the clock show.
    """

    def __init__(
        self,
        host: Callable[[], HostUse],
        ready: Callable[[], Awaitable[None]],
        figures: Figures,
        crew: Crew,
        pauses: Pauses,
        clock: Clock,
        *,
        peers: Mapping[str, Callable[[], Awaitable[Reached]]] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._ready = ready
        self._figures = figures
        self._crew = crew
        self._pauses = pauses
        self._clock = clock
        self._peers = {} if peers is None else peers
        self._monotonic = monotonic
        self._before: tuple[datetime, float] | None = None

    async def vitals(self) -> Vitals:
        """Measure."""
        host, unseen = await self._look_at_host()
        failure, stored, paused = await self._database()
        asked = await together(*(ask() for ask in self._peers.values()))
        answers = dict(zip(self._peers, asked, strict=True))
        now = self._clock.now()
        offs = [(one.its_time - now).total_seconds() for one in answers.values() if one.its_time]
        return Vitals(
            host,
            failure or unseen,
            _age(stored.pending_since, now),
            paused,
            max((one.heartbeat_seconds for one in self._crew.statuses()), default=0.0),
            _age(stored.unsent_since, now),
            answers,
            min(offs, key=abs, default=None),  # one peer with a wrong clock says nothing of ours
            self._jump(now),
        )

    async def _look_at_host(self) -> tuple[HostUse, str]:
        """Return what the host has left, and why that is not known: then it counts as nothing."""
        try:
            return await asyncio.to_thread(self._host), ""
        except OSError as failure:
            return HostUse(0, 0), f"the data folder cannot be looked at: {failure.strerror}"

    async def _database(self) -> tuple[str, StoredFigures, bool]:
        try:
            await self._ready()
            return "", await self._figures.read(), await self._pauses.current() is not None
        except AiOpsError as failure:
            return str(failure), StoredFigures(), False

    def _jump(self, now: datetime) -> float:
        """Return how far the clock moved since the last time beyond what has passed."""
        passed, before = self._monotonic(), self._before
        self._before = now, passed
        return 0.0 if before is None else (now - before[0]).total_seconds() - (passed - before[1])


def _age(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else max(0.0, (now - moment).total_seconds())
