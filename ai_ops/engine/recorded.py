"""The heart of every Steps implementation: a step's outcome is committed before anything follows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from ai_ops.core import retry
from ai_ops.core.ports import Outcome, Trace
from ai_ops.errors import AiOpsError, TemporaryError

_LOG = logging.getLogger(__name__)
CANCELLED = {"code": "cancelled", "message": "The step was interrupted.", "next_step": ""}


async def recorded(
    trace: Trace, run_id: str, name: str, round: int, work: Callable[[], Awaitable[Outcome]]
) -> Outcome:
    """Do ``work`` once for (run, name, round) and return its outcome; entered again, return that.

    Raises whatever ``work`` raises, after the failed entry is recorded.
    """
    committed = await trace.step_outcome(run_id, name, round)
    if committed is not None:
        return committed
    await trace.step_started(run_id, name, round)
    try:
        outcome = await work()
    except AiOpsError as error:
        await _record_failure(trace, run_id, name, round, error.as_dict())
        raise
    except asyncio.CancelledError:
        await _record_failure(trace, run_id, name, round, CANCELLED)
        raise
    except Exception as error:
        failure = {
            "code": "internal_error",
            "message": f"{type(error).__name__}: {error}",
            "next_step": "Look into the server's log, then retry the task.",
        }
        await _record_failure(trace, run_id, name, round, failure)
        raise
    await _commit(trace, run_id, name, round, outcome)
    return outcome


async def _commit(trace: Trace, run_id: str, name: str, round: int, outcome: Outcome) -> None:
    """Commit an outcome, patiently: what it took to get it (a model's answer) is paid for already."""
    tries = 0
    while True:
        tries += 1
        try:
            await trace.step_done(run_id, name, round, outcome)
        except TemporaryError as failure:
            decision = retry.decide(failure, tries)
            if not decision.retry:
                raise
            _LOG.warning("the outcome of step %s of run %s is not committed: %s", name, run_id, failure)
            await asyncio.sleep(decision.delay_seconds)
        else:
            return


async def _record_failure(
    trace: Trace, run_id: str, name: str, round: int, failure: Mapping[str, str]
) -> None:
    """Record a failed entry. A trace that cannot be written does not take the failure's place."""
    try:
        await trace.step_failed(run_id, name, round, failure)
    except AiOpsError as error:
        _LOG.warning("the failure of step %s of run %s is not recorded: %s", name, run_id, error)
