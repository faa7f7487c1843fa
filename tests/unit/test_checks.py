"""What CI's word means: whose failure it is, by what the base says."""

import pytest

from ai_ops.core import checks
from ai_ops.core.checks import BaseChecks, CiDecision, judge
from ai_ops.flow.ci import CiVerdict
from ai_ops.flow.pull_request import Check, Checks, CheckState

OLD, NEW = "a" * 40, "b" * 40
P, F, R = CheckState.PASSED, CheckState.FAILED, CheckState.PENDING


def ci(may_fail=(), **states):
    runs = tuple(Check(name, name, state, required=name not in may_fail) for name, state in states.items())
    return Checks(CheckState.NONE if not runs else P, runs)


def base(began, newest=None, moved=True):
    """The base's checks, each None where the check ``test`` did not run."""
    at = [ci(**({"test": state} if state else {})) for state in (began, newest if moved else began)]
    return BaseChecks(OLD, at[0], NEW if moved else OLD, at[1])


@pytest.mark.parametrize(
    ("began", "newest", "verdict"),
    [
        pytest.param(P, P, CiVerdict.OURS, id="passes everywhere else"),
        pytest.param(P, None, CiVerdict.OURS, id="passed where the branch began"),
        pytest.param(None, None, CiVerdict.OURS, id="never ran on the base"),
        pytest.param(F, F, CiVerdict.THEIRS, id="always fails"),
        pytest.param(P, F, CiVerdict.THEIRS, id="the base broke meanwhile"),
        pytest.param(None, F, CiVerdict.THEIRS, id="fails on the newest"),
        pytest.param(F, None, CiVerdict.THEIRS, id="failed where the branch began"),
        pytest.param(F, P, CiVerdict.STALE, id="mended on the base meanwhile"),
        pytest.param(None, P, CiVerdict.STALE, id="only known of the newest"),
        pytest.param(P, R, CiVerdict.WAITING, id="the newest still runs"),
        pytest.param(F, R, CiVerdict.WAITING, id="the newest may be mended"),
    ],
)
def test_a_failure_is_laid_to_the_fix_or_to_the_base(began, newest, verdict):
    assert judge(ci(test=F), base(began, newest), late=False).verdict is verdict


@pytest.mark.parametrize(
    ("began", "verdict"),
    [
        pytest.param(P, CiVerdict.OURS, id="passes"),
        pytest.param(F, CiVerdict.THEIRS, id="fails"),
        pytest.param(None, CiVerdict.OURS, id="did not run"),
    ],
)
def test_a_base_that_stands_still_is_never_merged(began, verdict):
    assert judge(ci(test=F), base(began, moved=False), late=False).verdict is verdict


@pytest.mark.parametrize(
    ("began", "verdict"),
    [
        pytest.param(P, CiVerdict.OURS, id="passed"),
        pytest.param(F, CiVerdict.THEIRS, id="failed"),
    ],
)
def test_the_base_is_not_awaited_for_ever(began, verdict):
    assert judge(ci(test=F), base(began, R), late=True).verdict is verdict


@pytest.mark.parametrize(
    ("ours", "late", "verdict"),
    [
        pytest.param(ci(), False, CiVerdict.WAITING, id="nothing has begun"),
        pytest.param(ci(), True, CiVerdict.UNKNOWN, id="nothing came in time"),
        pytest.param(ci(test=R), False, CiVerdict.WAITING, id="it runs"),
        pytest.param(ci(test=R), True, CiVerdict.WAITING, id="it runs long"),
        pytest.param(ci(test=P, lint=R), True, CiVerdict.WAITING, id="one passed, one runs"),
        pytest.param(ci(test=F, lint=R), False, CiVerdict.WAITING, id="one fails, one runs"),
        pytest.param(ci(test=F, lint=R), True, CiVerdict.OURS, id="one fails, one hangs"),
        pytest.param(ci(test=P), False, CiVerdict.GREEN, id="all passed"),
        pytest.param(ci(("lint",), test=P, lint=F), False, CiVerdict.GREEN, id="what may fail fails"),
        pytest.param(ci(("lint",), test=P, lint=R), False, CiVerdict.GREEN, id="what may fail runs"),
        pytest.param(ci(("lint",), test=F, lint=R), False, CiVerdict.OURS, id="what must pass fails"),
    ],
)
def test_all_that_must_pass_is_awaited_and_nothing_else(ours, late, verdict):
    assert judge(ours, base(P, P), late=late).verdict is verdict


def test_a_check_that_passed_on_this_commit_before_is_flapping_and_no_one_is_blamed():
    decision = judge(ci(test=F), base(P, P), late=False, passed_before=("test",))
    assert decision == CiDecision(
        CiVerdict.FLAPPING,
        "test fails, and passed on this very commit before",
        (Check("test", "test", F),),
        NEW,
    )


def test_the_fix_answers_for_its_own_failure_whatever_else_fails():
    at = ci(test=P, lint=F)
    decision = judge(ci(test=F, lint=F), BaseChecks(OLD, at, NEW, at), late=False)
    assert decision.verdict is CiVerdict.OURS
    assert [check.name for check in decision.checks] == ["test"]


def test_the_commit_of_the_base_that_fails_is_named():
    assert judge(ci(test=F), base(P, F), late=False).sha == NEW
    decision = judge(ci(test=F), base(F, None), late=False)
    assert (decision.sha, decision.words) == (OLD, f"test fails on the base too, at {OLD[:12]}")


def test_a_check_that_must_pass_counts_in_all_its_runs():
    twice = Checks(F, (Check("1", "test", P), Check("2", "test", F)))
    at = BaseChecks(OLD, twice, OLD, twice)
    assert judge(ci(test=F), at, late=False).verdict is CiVerdict.THEIRS


def test_failures_are_compared_with_the_base_only_once_they_are_settled():
    assert not checks.settled(ci(test=P), late=True)
    assert not checks.settled(ci(test=F, lint=R), late=False)
    assert checks.settled(ci(test=F, lint=R), late=True)
    assert checks.settled(ci(test=F), late=False)


def test_names_of_checks_stay_short_and_on_one_line():
    many = [Check(str(n), f"job {n}\n/merge {'x' * 200}", F) for n in range(7)]
    named = checks.names(many)
    assert "\n" not in named and named.endswith(" and 2 more") and len(named) < 600


def test_the_same_wish_has_the_same_name_and_another_has_not():
    assert checks.wish("checks", "a", "b") == checks.wish("checks", "a", "b")
    assert (
        len({checks.wish("checks", "a", "b"), checks.wish("checks", "ab"), checks.wish("base", "a", "b")})
        == 3
    )


def test_what_was_seen_of_a_check_is_kept_while_it_changes():
    passed = checks.seen(ci(test=P, lint=F), P)
    assert passed == ("test",)
    assert checks.seen(ci(test=F, lint=P), P, passed) == ("lint", "test")
