"""Why there is no (new) pull request: an answer for every way an issue can stand."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest

from ai_ops.core.explaining import why_no_pull_request
from ai_ops.core.publishing_limits import NO_PLACE
from ai_ops.flow.issue import Issue, IssueState, TriageClass, TriageDecision
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.flow.task import TaskState
from tests.support.memory_ports import a_task
from tests.support.store import APP, START, event, pull_request

FAULT = TriageDecision(TriageClass.CODE_FAULT, True, "a fault")
ISSUE = Issue(
    "i1", APP.key, APP.url, "github", "f" * 64, "v1", 1, IssueState.OPEN, "E in f", "python", "E", "f", 3,
    START, START, FAULT, event(),
)  # fmt: skip
REVIEW = TaskState.NEEDS_HUMAN_REVIEW
EXPIRED = pull_request(state=PullRequestState.CLOSED, expired_at=datetime(2026, 2, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("issue", "task", "pull", "words"),
    [
        ({"state": IssueState.IGNORED}, None, None, "chose to ignore"),
        ({"state": IssueState.MERGED, "merged_into": "i2"}, None, None, "merged into issue i2"),
        ({"waiting_reason": "Many at once."}, None, None, "Many at once."),
        ({"triage": replace(FAULT, repair=False, reason="a denial")}, None, None, "by itself: a denial"),
        ({}, None, None, "when it happens again"),
        ({}, {"state": TaskState.PROCESSING}, None, "is processing."),
        ({}, {"state": TaskState.FAILED, "outcome_reason": "no test tool"}, None, "failed: no test tool"),
        (
            {},
            {"state": TaskState.NEEDS_HUMAN_REVIEW, "outcome_reason": "unproved"},
            None,
            "a person: unproved",
        ),
        (
            {},
            {"state": REVIEW, "waiting_for": NO_PLACE, "outcome_reason": "5 are open"},
            None,
            "waits for a place: 5 are open",
        ),
        ({}, {}, pull_request(), "is open"),
        ({}, {}, pull_request(state=PullRequestState.MERGED), "was merged"),
        ({}, {}, pull_request(state=PullRequestState.CLOSED), "ai-ops issue repair i1"),
        ({}, {}, EXPIRED, "Nobody looked at"),
    ],
)
def test_it_is_said_why_nothing_new_is_proposed(issue, task, pull, words):
    repair = None if task is None else a_task(**task)
    assert words in why_no_pull_request(replace(ISSUE, **issue), repair, pull)


def test_there_is_an_answer_however_an_issue_stands():
    pulls = [None, EXPIRED, *(pull_request(state=state) for state in PullRequestState)]
    for state, task, pull in product(IssueState, [None, *TaskState], pulls):
        repair = a_task(state=task) if task else None
        assert why_no_pull_request(replace(ISSUE, state=state), repair, pull if task else None)
