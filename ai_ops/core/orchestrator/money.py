"""Money: what one call may spend, decided before it is made, and what was spent, whatever came of it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

from ai_ops.core.budgets import Budgets, PlannedCall, Stop, judge, stopped
from ai_ops.core.identity import run_id
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.errors import AiOpsError
from ai_ops.flow.run import Usage
from ai_ops.flow.task import Task

log = logging.getLogger(__name__)


class Purse:
    """What a run had spent when a step was entered (``before``), and what the step has spent since.

    The trace learns of the latter with the step's outcome.
    """

    def __init__(self, run: str, before: Usage) -> None:
        self.run = run
        self.before = before
        self.usage = Usage()

    def add(self, usage: Usage) -> None:
        """Count a call."""
        self.usage += usage


@contextlib.asynccontextmanager
async def accounted(tools: Tools, run: str) -> AsyncIterator[Purse]:
    """Yield the purse of a step. One that fails has no outcome to carry what is spent already."""
    known = await tools.trace.find_run(run)
    purse = Purse(run, known.usage if known else Usage())
    try:
        yield purse
    except BaseException as failure:
        if isinstance(failure, AiOpsError):
            purse.add(Usage(cost_usd=failure.cost_usd))
        try:
            await tools.trace.add_usage(run, purse.usage)
        except AiOpsError as unwritten:  # it does not take the failure's place
            log.warning("run %s: %.4f USD are not recorded: %s", run, purse.usage.cost_usd, unwritten)
        raise


async def call_budget(tools: Tools, purse: Purse, own_limit: float | None) -> float:
    """Return what is left of a run's money for its next request, in US dollars.

    The gateway judges hour and day before each call of the request; here a spent one is found before
    anything is made ready. The ledger may know of more than the purse: of calls whose end a kill hid.

    Args:
        tools: with this server's limits and the ledger.
        purse: what the run has spent so far.
        own_limit: the task's or repository's own limit, which only narrows.

    Raises:
        TemporaryError: ``hourly_budget_spent``, ``daily_budget_spent``.
        PermanentError: ``budget_spent``; one of the others, when it would never cover a call.
    """
    policy = tools.policy
    limit = min(policy.budget_usd_per_run, own_limit) if own_limit else policy.budget_usd_per_run
    spent = await tools.ledger.spent(purse.run)
    spent = replace(spent, run=max(spent.run, (purse.before + purse.usage).cost_usd))
    budgets = Budgets(policy.budget_usd_per_hour, policy.budget_usd_per_day)
    judged = judge(PlannedCall(purse.run, limit, policy.model, 0.0, limit), spent, budgets, tools.clock.now())
    if isinstance(judged, Stop):
        raise stopped(judged)
    return limit - spent.run


async def cost_of(tools: Tools, task: Task) -> float:
    """Return what all runs of a task have cost so far, in US dollars."""
    runs = [await tools.trace.find_run(run_id(task.id, number)) for number in range(1, task.run_number + 1)]
    return sum(run.usage.cost_usd for run in runs if run is not None)
