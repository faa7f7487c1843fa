"""The rules of the bug library: what is a case, what it is worth, whose it is, and what a fixer is told."""

from dataclasses import fields, replace
from datetime import timedelta

import pytest

from ai_ops.core.bug_cases import LEAST_SCORE, SHOWN, case_id, closest, outcome_of, owner_of, quality, rank
from ai_ops.core.context import became, past_repairs
from ai_ops.core.similarity import likeness
from ai_ops.flow.bug_case import BugCaseOutcome, KnownBug, Reach
from ai_ops.flow.pull_request import PullRequestState
from tests.support.bug_cases import a_case, an_error
from tests.support.memory_ports import MemoryBugCases
from tests.support.store import APP, START

SIBLING = "git.example/acme/billing"
MERGED, CLOSED, RESOLVED = BugCaseOutcome.MERGED, BugCaseOutcome.CLOSED, BugCaseOutcome.RESOLVED


def known(number=1, *args, **changes):
    case = a_case(number, *args, **changes)
    return KnownBug(**{field.name: getattr(case, field.name) for field in fields(KnownBug)})


@pytest.mark.parametrize(
    ("pull_request", "resolved", "outcome"),
    [
        (None, False, None),
        (None, True, RESOLVED),
        (PullRequestState.OPEN, False, None),
        (PullRequestState.OPEN, True, RESOLVED),
        (PullRequestState.MERGED, False, MERGED),
        (PullRequestState.MERGED, True, MERGED),
        (PullRequestState.CLOSED, False, CLOSED),
        (PullRequestState.CLOSED, True, CLOSED),
    ],
)
def test_an_episode_is_over_when_its_change_was_decided_on_or_its_issue_resolved(
    pull_request, resolved, outcome
):
    assert outcome_of(pull_request, resolved=resolved) == outcome


def test_a_case_is_worth_most_when_its_change_was_taken_and_held():
    held = quality(MERGED, 0, resolved=True)
    merged = quality(MERGED, 0, resolved=False)
    by_hand = quality(RESOLVED, 0, resolved=True)
    refused = quality(CLOSED, 0, resolved=False)
    assert 1.0 == held > merged > by_hand > refused > 0


@pytest.mark.parametrize("outcome", BugCaseOutcome)
def test_each_recurrence_lowers_what_a_case_is_worth(outcome):
    worth = [quality(outcome, times, resolved=False) for times in range(4)]
    assert worth == sorted(worth, reverse=True) and len(set(worth)) == 4
    assert quality(outcome, 10**6, resolved=False) >= 0


@pytest.mark.parametrize(
    ("repo_key", "owner"),
    [
        ("github.com/acme/app", "github.com/acme"),
        ("gitlab.com/acme/team/app", "gitlab.com/acme/team"),
        ("git.example:8443/acme/app", "git.example:8443/acme"),
        ("git.example/app", "git.example/app"),
        ("local/srv/git/shop", "local/srv/git"),
    ],
)
def test_an_owner_is_all_but_the_repositorys_name_and_a_host_is_none(repo_key, owner):
    assert owner_of(repo_key) == owner


def test_an_episode_has_one_id():
    assert case_id("i", 1) == case_id("i", 1) != case_id("i", 2) != case_id("j", 1)


WANTED = likeness(an_error())


def ranked(*bugs, **more):
    return [match.bug.issue_id for match in rank(WANTED, bugs, APP.key, **more)]


def test_the_own_repository_comes_first_and_then_the_score():
    far = an_error(9, message="something else went wrong entirely")
    assert ranked(
        known(1, repo_key=SIBLING, resolved=True),
        known(2, far),
        known(3, resolved=True),
        known(4, repo_key=SIBLING, recurrences=1),
    ) == ["issue-3", "issue-2", "issue-1", "issue-4"]


def test_of_equals_the_newest_comes_first():
    assert ranked(known(1), known(3), known(2)) == ["issue-3", "issue-2", "issue-1"]


def test_what_is_not_like_it_comes_last_and_is_not_shown_even_if_it_is_of_the_own_repository():
    other = an_error(8, exception_type="KeyError", message="no such spoon", frames=())
    matches = rank(WANTED, [known(1, other), known(2, repo_key=SIBLING)], APP.key)
    assert [(match.bug.issue_id, match.shown) for match in matches] == [("issue-2", True), ("issue-1", False)]
    assert matches[1].score < LEAST_SCORE
    assert matches[1].reason == f"scores less than {LEAST_SCORE}"


def test_a_fixer_sees_three_at_most_and_why_not_the_others_is_said():
    matches = rank(WANTED, [known(number) for number in range(1, 6)], APP.key)
    assert [match.shown for match in matches] == [True] * SHOWN + [False] * 2
    assert {match.reason for match in matches[SHOWN:]} == {"3 others come before it"}
    assert [match.reason for match in matches[:SHOWN]] == [""] * SHOWN


def test_a_refused_repair_of_the_very_error_is_shown_and_one_that_kept_failing_is_not():
    (refused,) = rank(WANTED, [known(1, outcome=CLOSED)], APP.key)
    assert refused.shown and refused.score == 0.55
    (hopeless,) = rank(
        likeness(an_error(message="division by nothing")), [known(1, outcome=CLOSED, recurrences=3)], APP.key
    )
    assert not hopeless.shown


def test_an_error_is_not_its_own_past():
    assert ranked(known(1), known(2), but=("issue-1", 1)) == ["issue-2"]
    assert ranked(known(1), but=("issue-1", 2)) == ["issue-1"]


async def test_a_search_says_how_many_were_looked_at_and_goes_no_further_than_it_may():
    cases = MemoryBugCases()
    for number, repo_key in enumerate((APP.key, SIBLING, "git.example/other/app"), 1):
        await cases.keep(a_case(number, repo_key=repo_key))
    seen = {reach: await closest(cases, WANTED, APP.key, reach) for reach in Reach}
    assert [seen[reach].looked_at for reach in Reach] == [1, 2, 3]
    assert [match.bug.repo_key for match in seen[Reach.OWNER].shown] == [APP.key, SIBLING]


# --- what a fixer is told ---

SECRET_CODE = "--- a/calc.py\n+++ b/calc.py\n+    return secret_recipe()\n"


def test_a_case_of_the_own_repository_is_told_with_its_diff():
    (text,) = past_repairs([a_case(diff=SECRET_CODE, resolved=True)], APP.key)
    assert text == (
        "Error: ZeroDivisionError in divide (calc.py)\n"
        "What became of the repair: it was merged, and the error has not come back\n"
        "Cause: nothing to divide by\nChange: asks first\nDiff:\n" + SECRET_CODE
    )


def test_no_code_and_no_file_of_another_repository_is_told():
    (text,) = past_repairs([a_case(diff=SECRET_CODE)], SIBLING)
    assert text == (
        "Error, in another repository: ZeroDivisionError\nWhat became of the repair: it was merged\n"
        "Cause: nothing to divide by\nChange: asks first"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"outcome": CLOSED}, "a person refused it: the pull request was closed without a merge"),
        (
            {"outcome": RESOLVED, "resolved": True},
            "the error was mended without it, and the error has not come back",
        ),
        ({"recurrences": 1}, "it was merged, and the error came back 1 time"),
        ({"recurrences": 2}, "it was merged, and the error came back 2 times"),
    ],
)
def test_what_became_of_a_repair_is_told(changes, words):
    assert became(a_case(**changes)) == words


@pytest.mark.parametrize("size", [10, 3_000, 30_000])
def test_all_that_is_told_stays_within_its_budget(size):
    cases = [a_case(number, cause="c" * size, diff="+x\n" * size) for number in range(1, 4)]
    texts = past_repairs(cases, APP.key, budget=9_000)
    assert len(texts) == 3
    assert sum(map(len, texts)) <= 9_000
    assert all("What became of the repair" in text for text in texts)


def test_a_diff_is_told_whole_or_not_at_all():
    (text,) = past_repairs([a_case(diff="+x\n" * 500)], APP.key, budget=1_000)
    assert "Diff" not in text and "Change: asks first" in text
    assert past_repairs([], APP.key) == ()


def test_time_alone_changes_nothing_of_a_case():
    case = a_case()
    later = replace(case, updated_at=START + timedelta(days=900))
    assert past_repairs([later], APP.key) == past_repairs([case], APP.key)
