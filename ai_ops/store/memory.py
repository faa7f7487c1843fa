"""Honest twins of small repositories: the same rules over plain Python, gone with the process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from ai_ops.core import pausing
from ai_ops.core.budgets import (
    AT_WORK,
    Budgets,
    PlannedCall,
    Spent,
    Stop,
    day_of,
    hour_of,
    judge,
    lost_usd,
)
from ai_ops.core.pausing import Pause
from ai_ops.core.ports import Clock, Granted
from ai_ops.errors import TemporaryError


@dataclass(frozen=True, slots=True)
class _Call:
    run_id: str
    at: datetime
    least_usd: float
    reserved_usd: float
    actual_usd: float | None = None

    @property
    def counts(self) -> float:
        return self.reserved_usd if self.actual_usd is None else self.actual_usd

    def at_work(self, now: datetime) -> float:
        return self.reserved_usd if self.actual_usd is None and self.at > now - AT_WORK else 0.0


class MemoryLedger:
    """Implements ``Ledger``."""

    def __init__(self, clock: Clock, budgets: Budgets) -> None:
        self._clock = clock
        self._budgets = budgets
        self._calls: list[_Call] = []

    async def reserve(self, call: PlannedCall) -> Granted | Stop:
        """Set money aside for a call that the budgets cover."""
        now = self._clock.now()
        usd = judge(call, self._spent(call.run_id, now), self._budgets, now)
        if isinstance(usd, Stop):
            return usd
        self._calls.append(_Call(call.run_id, now, call.least_usd, usd))
        return Granted(len(self._calls), usd)

    async def settle(self, number: int, usd: float) -> None:
        """Replace what was set aside by what the call cost. The first word stands."""
        call = self._calls[number - 1]
        if call.actual_usd is None:
            self._calls[number - 1] = replace(call, actual_usd=usd)

    async def settle_lost(self, run_id: str) -> None:
        """Settle the calls of a run whose process died, with what they can have cost since they were made."""
        now = self._clock.now()
        for number, call in enumerate(self._calls, 1):
            if call.run_id == run_id and call.actual_usd is None:
                await self.settle(number, lost_usd(call.least_usd, call.reserved_usd, now - call.at))

    async def spent(self, run_id: str) -> Spent:
        """Return what counts now against a run, the hour and the day."""
        return self._spent(run_id, self._clock.now())

    def _spent(self, run_id: str, now: datetime) -> Spent:
        today = [call for call in self._calls if call.at >= day_of(now)]
        this_hour = [call for call in today if call.at >= hour_of(now)]
        return Spent(
            sum(call.counts for call in self._calls if call.run_id == run_id),
            sum(call.counts for call in this_hour),
            sum(call.counts for call in today),
            sum(call.at_work(now) for call in this_hour),
            sum(call.at_work(now) for call in today),
        )


class MemoryPauses:
    """Implements ``Pauses``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pause: Pause | None = None

    async def current(self) -> Pause | None:
        """Return the pause, None when the queue is not paused."""
        return self._pause

    async def enter(self, run_id: str) -> Pause | None:
        """Come to ask for a run; it may if there is no pause, or it is the pause's prober now."""
        if self._pause is not None:
            self._pause = pausing.entered(self._pause, run_id, self._clock.now())
        return self._pause

    async def meet(self, run_id: str, limit: TemporaryError) -> Pause:
        """Begin the pause, or prolong it: a run met a limit."""
        self._pause = pausing.met(self._pause, run_id, limit, self._clock.now())
        return self._pause

    async def give_up(self, run_id: str) -> None:
        """Let another run try: this one ended without a word on the limit."""
        if self._pause is not None:
            self._pause = pausing.given_up(self._pause, run_id)

    async def end(self, run_id: str) -> None:
        """End the pause: its prober was answered. What another run says changes nothing."""
        if self._pause is not None and self._pause.prober == run_id:
            self._pause = None

    async def lift(self) -> Pause | None:
        """End the waiting, because a person wants to: the next run that asks looks whether it is over."""
        if self._pause is not None:
            self._pause = pausing.lifted(self._pause, self._clock.now())
        return self._pause
