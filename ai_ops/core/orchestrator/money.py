"""Money: what one call may spend, decided before it is made, and what was spent, whatever came of it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator

from ai_ops.core.identity import run_id
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.errors import AiOpsError, PermanentError
from ai_ops.flow.run import Usage
from ai_ops.flow.task import Task

log = logging.getLogger(__name__)

BUDGET_CODES = frozenset({"budget_spent", "daily_budget_spent"})
"""Failures that mean: what was found so far is all there will be."""


class Purse:
    """What a run had spent when a step was entered (``before``), and what the step has spent since.

    The trace learns of the latter with the step's outcome.
    """

    def __init__(self, before: Usage) -> None:
        self.before = before
        self.usage = Usage()

    def add(self, usage: Usage) -> None:
        """Count a call."""
        self.usage += usage


@contextlib.asynccontextmanager
async def accounted(tools: Tools, run: str) -> AsyncIterator[Purse]:
    """Yield the purse of a step. One that fails has no outcome to carry what is spent already."""
    known = await tools.trace.find_run(run)
    purse = Purse(known.usage if known else Usage())
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
    """Return what is left for the next call of a run, in US dollars.

    Args:
        tools: with this server's limits and what all runs spent today.
        purse: what the run has spent so far.
        own_limit: the task's or repository's own limit, which only narrows.

    Raises:
        PermanentError: ``budget_spent``, ``daily_budget_spent``.
    """
    per_run = tools.policy.budget_usd_per_run
    limit = min(per_run, own_limit) if own_limit else per_run
    left = limit - (purse.before + purse.usage).cost_usd
    if left <= 0:
        raise PermanentError(
            "budget_spent",
            f"the run has spent its {limit:.2f} USD",
            next_step="Raise BUDGET_USD_PER_RUN, then retry the task.",
        )
    left_today = tools.policy.budget_usd_per_day - await tools.spent_today() - purse.usage.cost_usd
    if left_today <= 0:
        raise PermanentError(
            "daily_budget_spent",
            f"today's {tools.policy.budget_usd_per_day:.2f} USD are spent",
            next_step="Raise BUDGET_USD_PER_DAY, or retry the task tomorrow.",
        )
    return min(left, left_today)


async def cost_of(tools: Tools, task: Task) -> float:
    """Return what all runs of a task have cost so far, in US dollars."""
    runs = [await tools.trace.find_run(run_id(task.id, number)) for number in range(1, task.run_number + 1)]
    return sum(run.usage.cost_usd for run in runs if run is not None)
