"""The steps of a run under the durable engine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ai_ops.core.ports import Outcome, Trace
from ai_ops.engine.dbos_adapter import Dbos, OutOfStepError
from ai_ops.engine.recorded import recorded
from ai_ops.engine.slots import Seat
from ai_ops.errors import AiOpsError, PermanentError, TemporaryError

_LOG = logging.getLogger(__name__)


def _checkpoint(error: AiOpsError) -> dict[str, Any]:
    temporary = isinstance(error, TemporaryError)
    delay = error.delay if isinstance(error, TemporaryError) else None
    return {**error.as_dict(), "temporary": temporary, "delay": delay, "cost_usd": error.cost_usd}


def _failure(kept: Mapping[str, Any]) -> AiOpsError:
    code, message, next_step = kept["code"], kept["message"], kept["next_step"]
    error: AiOpsError
    if kept["temporary"]:
        error = TemporaryError(code, message, next_step=next_step, delay=kept["delay"])
    else:
        error = PermanentError(code, message, next_step=next_step)
    error.cost_usd = kept.get("cost_usd", 0.0)
    return error


class DurableSteps:
    """Steps that DBOS checkpoints after their outcome is committed in the trace.

    A checkpoint says only that a step was done, or how it failed: so a run that goes on after a crash
    takes the same way as before, and no outcome is stored a second time.
    """

    def __init__(self, dbos: Dbos, trace: Trace, run_id: str, seat: Seat) -> None:
        self._dbos = dbos
        self._trace = trace
        self._run_id = run_id
        self._seat = seat
        self._out_of_step = False

    async def run(self, name: str, round: int, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Do ``work`` once for (run, name, round) and return its outcome; entered again, return that."""
        outcomes: list[Outcome] = []
        errors: list[Exception] = []

        async def enter() -> dict[str, Any]:
            try:
                outcomes.append(await recorded(self._trace, self._run_id, name, round, work))
            except AiOpsError as error:
                errors.append(error)
                return {"failed": _checkpoint(error)}
            except Exception as error:  # noqa: BLE001 - it is raised again below, outside of the vendor's code
                errors.append(error)
                return {"broken": type(error).__name__}
            return {"done": True}

        mark: Mapping[str, Any] = {}
        if not self._out_of_step:
            try:
                mark = await self._dbos.step(f"{name}:{round}", enter)
            except OutOfStepError as error:
                self._lose_step(error)
        if errors:
            raise errors[0]
        if "failed" in mark:
            raise _failure(mark["failed"])
        if "broken" in mark:
            raise RuntimeError(f"the step {name} had failed with {mark['broken']}")
        if outcomes:
            return outcomes[0]
        return await recorded(self._trace, self._run_id, name, round, work)

    async def wait(self, seconds: float) -> None:
        """Wait durably, without the place to work; a restart goes on with the remaining time."""
        async with self._seat.away():
            if not self._out_of_step:
                try:
                    await self._dbos.sleep(seconds)
                except OutOfStepError as error:
                    self._lose_step(error)
            if self._out_of_step:
                await asyncio.sleep(seconds)

    def _lose_step(self, error: Exception) -> None:
        """Go on by the trace alone: a newer release took up a run whose steps had another order."""
        _LOG.warning("run %s goes on without checkpoints: %s", self._run_id, error)
        self._out_of_step = True
