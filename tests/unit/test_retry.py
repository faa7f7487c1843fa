from __future__ import annotations

import pytest

from ai_ops.core.retry import MAX_TRIES, OUTAGE_CODES, OUTAGE_TRIES, RetryRules, decide, tries_for
from ai_ops.errors import PermanentError, TemporaryError


def test_a_permanent_failure_is_not_tried_again():
    decision = decide(PermanentError("push_refused", "no"), 1)
    assert (decision.retry, decision.delay_seconds) == (False, 0.0)
    assert "push_refused" in decision.reason


def test_the_wait_that_the_other_side_asked_for_is_kept():
    assert decide(TemporaryError("host_rate_limited", "slow", delay=1234.0), 1).delay_seconds == 1234.0


def test_a_negative_wait_is_none():
    assert decide(TemporaryError("host_rate_limited", "slow", delay=-3.0), 1).delay_seconds == 0.0


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0)])
def test_the_wait_doubles(attempt: int, seconds: float):
    decision = decide(TemporaryError("git_unreachable", "gone"), attempt)
    assert (decision.retry, decision.delay_seconds) == (True, seconds)


@pytest.mark.parametrize("attempt", [MAX_TRIES, MAX_TRIES + 1])
def test_the_tries_are_used_up(attempt: int):
    decision = decide(TemporaryError("git_unreachable", "gone", delay=1.0), attempt)
    assert not decision.retry
    assert str(attempt) in decision.reason


def test_the_wait_is_never_longer_than_five_minutes():
    decision = decide(TemporaryError("git_unreachable", "gone"), 50, max_tries=100)
    assert decision.delay_seconds == 300.0


def test_runs_that_failed_together_come_back_apart_and_the_same_decision_stays_the_same():
    failure = TemporaryError("host_unavailable", "503")
    waits = {decide(failure, 3, spread=f"run-{n}").delay_seconds for n in range(20)}
    assert len(waits) > 10
    assert all(3.0 <= wait <= 4.0 for wait in waits)
    assert decide(failure, 3, spread="run-1") == decide(failure, 3, spread="run-1")


@pytest.mark.parametrize("code", sorted(OUTAGE_CODES))
def test_an_outage_of_a_code_host_is_waited_out_for_hours_with_few_tries_in_each(code: str):
    failure = TemporaryError(code, "away")
    waits = [
        decide(failure, attempt, max_tries=tries_for(failure)).delay_seconds
        for attempt in range(1, tries_for(failure))
    ]
    assert 4 * 3600 < sum(waits) < 8 * 3600
    within, passed = 0, 0.0
    while passed < 3600:
        passed += waits[within]
        within += 1
    assert within <= 21


def test_another_failure_is_worth_five_tries():
    assert tries_for(TemporaryError("disk_full", "full")) == MAX_TRIES


def test_an_operator_may_say_how_often_and_how_long():
    rules = RetryRules(max_tries=3, first_seconds=2.0, longest_seconds=3.0)
    failure = TemporaryError("git_failed", "no")
    waits = [decide(failure, attempt, rules=rules) for attempt in (1, 2, 3)]
    assert [(each.retry, each.delay_seconds) for each in waits] == [(True, 2.0), (True, 3.0), (False, 0.0)]
    assert tries_for(failure, rules) == 3
    assert tries_for(TemporaryError("host_unavailable", "no"), rules) == OUTAGE_TRIES
