"""What one call may spend, decided before it is made."""

from __future__ import annotations

from ai_ops.core.orchestrator.tools import Tools
from ai_ops.errors import PermanentError
from ai_ops.flow.run import Usage


async def call_budget(tools: Tools, spent: Usage, own_limit: float | None) -> float:
    """Return what is left for the next call of a run, in US dollars.

    Args:
        tools: with this server's limits and what all runs spent today.
        spent: what the run has spent so far.
        own_limit: the task's or repository's own limit, which only narrows.

    Raises:
        PermanentError: ``budget_spent``, ``daily_budget_spent``.
    """
    per_run = tools.policy.budget_usd_per_run
    limit = min(per_run, own_limit) if own_limit else per_run
    left = limit - spent.cost_usd
    if left <= 0:
        raise PermanentError(
            "budget_spent",
            f"the run has spent its {limit:.2f} USD",
            next_step="Raise BUDGET_USD_PER_RUN, then retry the task.",
        )
    left_today = tools.policy.budget_usd_per_day - await tools.spent_today()
    if left_today <= 0:
        raise PermanentError(
            "daily_budget_spent",
            f"today's {tools.policy.budget_usd_per_day:.2f} USD are spent",
            next_step="Raise BUDGET_USD_PER_DAY, or retry the task tomorrow.",
        )
    return min(left, left_today)
