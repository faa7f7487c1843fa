"""Asking a model, and what it may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ai_ops.core.budgets import PlannedCall, Spent, Stop
from ai_ops.core.pausing import Pause
from ai_ops.errors import TemporaryError
from ai_ops.flow.fixing import FixAnswer, FixRequest, Watch


class Fixer(Protocol):
    """Asks a model. Codes of its failures are in ``core.model_failures``."""

    async def ask(self, request: FixRequest, watch: Watch) -> FixAnswer:
        """Ask once and return the whole answer; in agentic mode the checkout is edited meanwhile."""
        ...


@dataclass(frozen=True, slots=True)
class Granted:
    """A call that may be made: its number in the ledger, and what is set aside for it, in US dollars."""

    number: int
    usd: float


class Ledger(Protocol):
    """What every call to the model costs, set aside durably before the call is made."""

    async def reserve(self, call: PlannedCall) -> Granted | Stop:
        """Set money aside for a call, in the transaction that judges the budgets.

        Raises:
            TemporaryError: ``storage_unavailable``; nothing is set aside.
        """
        ...

    async def settle(self, number: int, usd: float) -> None:
        """Replace what was set aside by what the call cost. The first word stands."""
        ...

    async def settle_lost(self, run_id: str) -> None:
        """Settle the calls of a run whose process died, with what they can have cost since they were made.

        Nobody may be at work on the run.
        """
        ...

    async def spent(self, run_id: str) -> Spent:
        """Return what counts now against a run, the hour and the day."""
        ...


class Pauses(Protocol):
    """The pause of the queue after a limit of the model's API. It outlives the process."""

    async def current(self) -> Pause | None:
        """Return the pause, None when the queue is not paused."""
        ...

    async def enter(self, run_id: str) -> Pause | None:
        """Come to ask for a run; it may if there is no pause, or it is the pause's prober now."""
        ...

    async def meet(self, run_id: str, limit: TemporaryError) -> Pause:
        """Begin the pause, or prolong it: a run met a limit."""
        ...

    async def give_up(self, run_id: str) -> None:
        """Let another run try: this one ended without a word on the limit."""
        ...

    async def end(self, run_id: str) -> None:
        """End the pause: its prober was answered. What another run says changes nothing."""
        ...

    async def lift(self) -> Pause | None:
        """End the waiting, because a person wants to: the next run that asks looks whether it is over."""
        ...
