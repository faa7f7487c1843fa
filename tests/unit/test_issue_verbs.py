"""What a person may decide about an issue."""

import pytest

from ai_ops.core.issue_verbs import VERBS, check_merge, check_split, state_after
from ai_ops.errors import PermanentError
from ai_ops.flow.issue import IssueState

LIVE = [state for state in IssueState if state is not IssueState.MERGED]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("state", LIVE)
def test_every_live_issue_can_be_ignored_resolved_and_reopened(verb, state):
    assert state_after(verb, state) is VERBS[verb]


@pytest.mark.parametrize("verb", VERBS)
def test_about_a_merged_issue_nothing_else_is_decided(verb):
    with pytest.raises(PermanentError, match="issue_merged"):
        state_after(verb, IssueState.MERGED)


@pytest.mark.parametrize("first", LIVE)
@pytest.mark.parametrize("second", LIVE)
def test_live_issues_of_one_repository_can_be_merged(first, second):
    check_merge([first, second], ["r", "r"], same=False)


@pytest.mark.parametrize(
    ("states", "repositories", "same", "code"),
    [
        ((IssueState.MERGED, IssueState.OPEN), "rr", False, "issue_merged"),
        ((IssueState.OPEN, IssueState.MERGED), "rr", False, "issue_merged"),
        ((IssueState.OPEN, IssueState.OPEN), "rs", False, "cannot_merge"),
        ((IssueState.OPEN, IssueState.OPEN), "rr", True, "cannot_merge"),
    ],
    ids=["merged already", "into a merged one", "another repository", "into itself"],
)
def test_a_merge_without_sense_is_refused(states, repositories, same, code):
    with pytest.raises(PermanentError, match=code) as refused:
        check_merge(states, list(repositories), same=same)
    assert refused.value.next_step


def test_only_what_came_from_elsewhere_can_be_split_off():
    check_split(IssueState.OPEN, "b", ["a", "b"])
    for fingerprint in ("a", "z"):
        with pytest.raises(PermanentError, match="cannot_split"):
            check_split(IssueState.OPEN, fingerprint, ["a", "b"])


def test_nothing_can_be_split_off_one_that_was_merged():
    with pytest.raises(PermanentError, match="issue_merged"):
        check_split(IssueState.MERGED, "a", [])
