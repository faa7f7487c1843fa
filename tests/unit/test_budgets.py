"""Which budget covers a call, which does not, and when it may go on."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ai_ops.core.budgets import BUDGET_CODES, Budget, Budgets, PlannedCall, Spent, Stop, judge, stopped
from ai_ops.core.model_failures import CODES
from ai_ops.errors import PermanentError, TemporaryError

NOW = datetime(2026, 11, 25, 11, 37, tzinfo=UTC)
HOUR_END, DAY_END = datetime(2026, 11, 25, 12, tzinfo=UTC), datetime(2026, 11, 26, tzinfo=UTC)
SOON = datetime(2026, 11, 25, 11, 37, 30, tzinfo=UTC)
BUDGETS = Budgets(hour_usd=5.0, day_usd=20.0)


def call(least: float = 0.5, most: float = 1.0, run: float = 2.0) -> PlannedCall:
    return PlannedCall("r1", run, "m", least, most)


GRANTED = {
    "nothing is spent": (call(), Spent(), BUDGETS, 1.0),
    "the run has less left": (call(), Spent(run=1.25), BUDGETS, 0.75),
    "the hour has less left": (call(), Spent(hour=4.25), BUDGETS, 0.75),
    "the day has less left": (call(), Spent(day=19.25), BUDGETS, 0.75),
    "it is just enough": (call(), Spent(hour=4.5), BUDGETS, 0.5),
    "the hour has no limit": (call(), Spent(hour=19.0), Budgets(0.0, 20.0), 1.0),
}


@pytest.mark.parametrize(("planned", "spent", "budgets", "usd"), GRANTED.values(), ids=GRANTED.keys())
def test_a_call_gets_the_most_that_every_budget_covers_when(
    planned: PlannedCall, spent: Spent, budgets: Budgets, usd: float
) -> None:
    assert judge(planned, spent, budgets, NOW) == usd


STOPS = {
    "the run is spent": (call(), Spent(run=1.6), Stop(Budget.RUN, 2.0, NOW)),
    "the hour is spent": (call(), Spent(hour=4.6), Stop(Budget.HOUR, 5.0, NOW, HOUR_END)),
    "the day is spent": (call(), Spent(day=19.6), Stop(Budget.DAY, 20.0, NOW, DAY_END)),
    "hour and day are spent": (call(), Spent(hour=5.0, day=20.0), Stop(Budget.DAY, 20.0, NOW, DAY_END)),
    "all are spent": (call(), Spent(2.0, 5.0, 20.0), Stop(Budget.RUN, 2.0, NOW)),
    "calls at work hold the hour's rest": (
        call(),
        Spent(hour=5.0, hour_at_work=3.0),
        Stop(Budget.HOUR, 5.0, NOW, SOON),
    ),
    "calls at work hold the day's rest": (
        call(),
        Spent(day=20.0, day_at_work=0.5),
        Stop(Budget.DAY, 20.0, NOW, SOON),
    ),
    "what calls at work hold is not enough": (
        call(),
        Spent(hour=5.0, hour_at_work=0.4),
        Stop(Budget.HOUR, 5.0, NOW, HOUR_END),
    ),
    "no hour would be enough": (call(6.0, 6.0, 9.0), Spent(hour=5.0), Stop(Budget.HOUR, 5.0, NOW)),
    "no day would be enough": (call(21.0, 21.0, 30.0), Spent(), Stop(Budget.DAY, 20.0, NOW)),
    "a call that costs nothing, and nothing is left": (
        call(0.0, 0.0),
        Spent(hour=5.0),
        Stop(Budget.HOUR, 5.0, NOW, HOUR_END),
    ),
}


@pytest.mark.parametrize(("planned", "spent", "stop"), STOPS.values(), ids=STOPS.keys())
def test_a_budget_that_does_not_cover_a_call_is_named_when(
    planned: PlannedCall, spent: Spent, stop: Stop
) -> None:
    assert judge(planned, spent, BUDGETS, NOW) == stop


def test_what_is_soon_is_not_later_than_the_end_of_the_hour() -> None:
    late = datetime(2026, 11, 25, 11, 59, 50, tzinfo=UTC)
    judged = judge(call(), Spent(hour=5.0, hour_at_work=3.0), BUDGETS, late)
    assert isinstance(judged, Stop)
    assert judged.until == HOUR_END


@pytest.mark.parametrize(
    ("stop", "code", "setting", "delay", "word"),
    [
        (Stop(Budget.RUN, 2.0, NOW), "budget_spent", "BUDGET_USD_PER_RUN", None, "2.00 USD"),
        (
            Stop(Budget.HOUR, 5.0, NOW, HOUR_END),
            "hourly_budget_spent",
            "BUDGET_USD_PER_HOUR",
            23 * 60.0,
            "2026-11-25 12:00 UTC",
        ),
        (
            Stop(Budget.DAY, 20.0, NOW, DAY_END),
            "daily_budget_spent",
            "BUDGET_USD_PER_DAY",
            (12 * 60 + 23) * 60.0,
            "2026-11-26 00:00 UTC",
        ),
        (Stop(Budget.DAY, 0.0, NOW), "daily_budget_spent", "BUDGET_USD_PER_DAY", None, "whole day"),
    ],
    ids=["run", "hour", "day", "never"],
)
def test_a_failure_names_its_budget_and_when_it_goes_on(
    stop: Stop, code: str, setting: str, delay: float | None, word: str
) -> None:
    failure = stopped(stop)
    assert isinstance(failure, PermanentError if delay is None else TemporaryError)
    assert (failure.code, getattr(failure, "delay", None)) == (code, delay)
    assert word in failure.message
    assert setting in failure.next_step


def test_every_budget_has_a_code_that_a_fixer_may_fail_with() -> None:
    assert {stopped(Stop(budget, 1.0, NOW)).code for budget in Budget} == BUDGET_CODES
    assert BUDGET_CODES <= CODES
