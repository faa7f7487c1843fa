"""What groups of old errors are predicted to lead to."""

from datetime import UTC, datetime, timedelta

import pytest

from ai_ops.core.describe import describe
from ai_ops.core.forecast import Forecast, predict
from ai_ops.core.pricing import price_of

START = datetime(2026, 11, 1, tzinfo=UTC)
FAULT = (
    "Traceback (most recent call last):\n"
    '  File "/srv/app/shop/ratings.py", line 12, in summary\n'
    "    return total / count\n"
    "ZeroDivisionError: division by zero"
)
REFUSED = "ERROR ConnectionRefusedError: [Errno 111] Connection refused"


def forecast(*records):
    made = Forecast()
    for raw, hours, path in records:
        description = describe(raw)
        at = START + timedelta(hours=hours)
        if not made.knows(description.error.fingerprint):
            made.begin(description, at)
        made.count(description.error.fingerprint, at, path)
    return made


def prediction(groups, **changes):
    limits = {"budget_per_run": 2.0, "budget_per_day": 20.0, "most_open": 5} | changes
    return predict(groups, price_of("claude-sonnet-5-5"), **limits)


def test_repeats_are_one_group_with_its_first_and_last_time():
    made = forecast((FAULT, 5, "b.log"), (FAULT, 1, "a.log"), (FAULT, 9, "a.log"))
    (group,) = made.groups()
    assert (group.count, group.paths) == (3, {"a.log", "b.log"})
    assert (group.first_seen, group.last_seen) == (START + timedelta(hours=1), START + timedelta(hours=9))
    assert group.title == "ZeroDivisionError in summary (/srv/app/shop/ratings.py)"


def test_what_would_be_repaired_comes_first_whatever_is_more_frequent():
    groups = forecast((REFUSED, 0, "a"), (REFUSED, 1, "a"), (FAULT, 2, "a")).groups()
    assert [(group.count, group.triage.repair) for group in groups] == [(1, True), (2, False)]


def test_only_code_faults_become_tasks():
    predicted = prediction(forecast((REFUSED, 0, "a"), (FAULT, 2, "a")).groups())
    assert (predicted.tasks, predicted.open_at_once, predicted.most_usd, predicted.days) == (1, 1, 2.0, 1)


def test_no_task_costs_nothing():
    predicted = prediction(forecast((REFUSED, 0, "a")).groups())
    assert (predicted.tasks, predicted.expected_usd, predicted.most_usd, predicted.days) == (0, 0, 0, 0)


@pytest.mark.parametrize(("per_run", "each"), [(2.0, 0.2), (0.05, 0.05)], ids=["list price", "budget"])
def test_the_expected_cost_is_at_list_prices_and_never_above_the_budget(per_run, each):
    predicted = prediction(forecast((FAULT, 0, "a")).groups(), budget_per_run=per_run)
    assert predicted.expected_usd == pytest.approx(each)


def test_limits_spread_the_repairs():
    faults = [(FAULT.replace("summary", f"summary_{letter}"), 0, "a") for letter in "abcdefgh"]
    predicted = prediction(forecast(*faults).groups(), most_open=3, budget_per_day=5.0)
    assert (predicted.tasks, predicted.open_at_once, predicted.days) == (8, 3, 4)
