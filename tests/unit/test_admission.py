"""The cap on prompt tasks: where it closes, where it opens, and whom it lets pass."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ai_ops.core.admission import Gate, QueueRules, admit, capped, issue_waits, swung
from tests.support.store import START

RULES = QueueRules(high=10, low=5)
CLOSED = Gate(closed=True, since=START)
LATER = START + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("pending", "busy"), [(0, False), (5, False), (6, True), (10, True)], ids="{} pending".format
)
def test_up_to_the_limit_a_task_is_taken_and_from_the_lower_one_on_it_is_told_so(pending, busy):
    decided = admit(Gate(), pending, RULES, START)
    assert decided.refusal is None
    assert bool(decided.busy) is busy
    assert decided.gate.closed is (pending == 10)  # with this one there are more than ten


@pytest.mark.parametrize("pending", [11, 10, 7, 6])
def test_a_closed_gate_refuses_until_few_are_left(pending):
    decided = admit(CLOSED, pending, RULES, LATER)
    assert decided.refusal.code == "queue_full"
    assert decided.refusal.delay > 0
    assert f"{pending} prompt tasks are pending" in decided.refusal.message
    assert decided.gate == Gate(closed=True, since=START, refused=1)


@pytest.mark.parametrize("pending", [5, 0])
def test_at_the_lower_limit_it_opens_and_somebody_has_to_be_told(pending):
    assert swung(Gate(True, START, 3), pending, RULES, LATER) == Gate(False, LATER, 3, told=False)
    decided = admit(CLOSED, pending, RULES, LATER)
    assert decided.refusal is None and not decided.gate.closed and not decided.busy


def test_between_the_limits_it_stays_as_it_is():
    assert swung(CLOSED, 8, RULES, LATER) == CLOSED
    assert swung(Gate(), 8, RULES, LATER) == Gate()


def test_without_a_limit_nothing_is_refused_and_a_gate_that_was_closed_opens():
    assert admit(Gate(), 10_000, QueueRules(), START).refusal is None
    assert not swung(CLOSED, 10_000, QueueRules(), LATER).closed


@pytest.mark.parametrize(
    ("kind", "priority", "wanted"),
    [
        ("prompt", "normal", True),
        ("prompt", "high", True),
        ("prompt", "urgent", False),
        ("repair", "low", False),
        ("follow_up", "normal", False),
    ],
)
def test_the_cap_is_for_prompt_tasks_that_are_not_urgent(kind, priority, wanted):
    assert capped(kind, priority) is wanted


def test_an_error_is_never_refused_it_waits():
    assert issue_waits(CLOSED) and not issue_waits(Gate())
