"""Whether the money covers one more call to the model, judged over its run, the hour and the day.

A call is set aside before it is made, with the most that it may cost, and settled after. One that was
never settled counts with what was set aside, until its run goes on: then with what it can have cost in the
time since, because a kill cuts the answer. Hour and day are the
clock's, in UTC, so that everybody can see when the next one begins. Pure: a ledger keeps the calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from ai_ops.errors import AiOpsError, PermanentError, TemporaryError

AT_WORK: Final = timedelta(minutes=30)
"""For so long an unsettled call may still be at work; after that its end was lost."""

LONGEST_ANSWER: Final = timedelta(seconds=160)
"""No model is known to write the longest answer in less time than this."""

BUDGET_CODES: Final = frozenset({"budget_spent", "hourly_budget_spent", "daily_budget_spent"})
"""Failures that mean: the money does not cover a further call."""

_SOON: Final = timedelta(seconds=30)


class Budget(StrEnum):
    """What money is counted over."""

    RUN = "run"
    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Budgets:
    """What all runs together may spend, in US dollars. No limit for the hour is 0."""

    hour_usd: float
    day_usd: float


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call that is about to be made. ``run_usd`` is what all calls of its run may cost.

    It makes no sense with less than ``least_usd``, and cannot use more than ``most_usd``.
    """

    run_id: str
    run_usd: float
    model: str
    least_usd: float
    most_usd: float


@dataclass(frozen=True, slots=True)
class Spent:
    """What counts now, in US dollars: settled calls, and what is set aside for the others.

    ``hour_at_work`` and ``day_at_work`` are the parts that are set aside for calls that may be at work.
    """

    run: float = 0.0
    hour: float = 0.0
    day: float = 0.0
    hour_at_work: float = 0.0
    day_at_work: float = 0.0


@dataclass(frozen=True, slots=True)
class Stop:
    """The budget that did not cover a call ``at`` a time. It may from ``until`` on, or never by itself."""

    budget: Budget
    limit_usd: float
    at: datetime
    until: datetime | None = None


def lost_usd(least_usd: float, reserved_usd: float, since: timedelta) -> float:
    """Return what a call counts whose end was lost with its process, so long after it was made at most.

    It was cut when the process died, and the API counts what was written until then.
    """
    share = min(1.0, max(0.0, since / LONGEST_ANSWER))
    return least_usd + max(0.0, reserved_usd - least_usd) * share


def hour_of(now: datetime) -> datetime:
    """Return when the hour began."""
    return now.replace(minute=0, second=0, microsecond=0)


def day_of(now: datetime) -> datetime:
    """Return when the day began."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


@dataclass(frozen=True, slots=True)
class _Window:
    """One budget with what counts against it, and when it begins anew; a run's never does."""

    budget: Budget
    limit: float
    spent: float
    at_work: float = 0.0
    end: datetime | None = None

    def covers(self, usd: float, *, given_back: float = 0.0) -> bool:
        left = self.limit - self.spent + given_back
        return left > 0 and left >= usd

    def until(self, usd: float, now: datetime) -> datetime | None:
        """Return when it may cover a call: soon, if only what calls at work may give back is missing."""
        if self.end is None or not self.covers(usd, given_back=self.spent):
            return None
        return min(self.end, now + _SOON) if self.covers(usd, given_back=self.at_work) else self.end


def judge(call: PlannedCall, spent: Spent, budgets: Budgets, now: datetime) -> float | Stop:
    """Return what to set aside for a call, in US dollars, or the budget that does not cover it.

    ``now`` is in UTC. Of several spent budgets, the one is named that lasts longest.
    """
    day, hour = day_of(now) + timedelta(days=1), hour_of(now) + timedelta(hours=1)
    windows = [
        _Window(Budget.RUN, call.run_usd, spent.run),
        _Window(Budget.DAY, budgets.day_usd, spent.day, spent.day_at_work, day),
    ]
    if budgets.hour_usd:
        windows.append(_Window(Budget.HOUR, budgets.hour_usd, spent.hour, spent.hour_at_work, hour))
    for window in windows:
        if not window.covers(call.least_usd):
            return Stop(window.budget, window.limit, now, window.until(call.least_usd, now))
    return min(call.most_usd, *(window.limit - window.spent for window in windows))


_CODES: Final = {
    Budget.RUN: "budget_spent",
    Budget.HOUR: "hourly_budget_spent",
    Budget.DAY: "daily_budget_spent",
}
_SETTINGS: Final = {
    Budget.RUN: "BUDGET_USD_PER_RUN",
    Budget.HOUR: "BUDGET_USD_PER_HOUR",
    Budget.DAY: "BUDGET_USD_PER_DAY",
}


def stopped(stop: Stop) -> AiOpsError:
    """Return the failure of a call that a budget does not cover; it says which, and when it may go on."""
    code, setting = _CODES[stop.budget], _SETTINGS[stop.budget]
    if stop.until is not None:
        return TemporaryError(
            code,
            f"this {stop.budget}'s {stop.limit_usd:.2f} USD are spent or set aside for calls; "
            f"it goes on at {stop.until:%Y-%m-%d %H:%M} UTC",
            next_step=f"Nothing to do: it goes on by itself. Or raise {setting} and start the server again.",
            delay=max(0.0, (stop.until - stop.at).total_seconds()),
        )
    if stop.budget is Budget.RUN:
        words = f"the run has spent its {stop.limit_usd:.2f} USD, or the rest does not cover a call"
    else:
        words = f"the {stop.limit_usd:.2f} USD of a whole {stop.budget} do not cover a call"
    return PermanentError(code, words, next_step=f"Raise {setting}, then retry the task.")
