"""Why an issue has no pull request, or no new one: always answerable, from what is on record."""

from __future__ import annotations

from ai_ops.core.evidence import MORE, RISE
from ai_ops.core.publishing_limits import NO_PLACE
from ai_ops.flow.issue import Issue, IssueState
from ai_ops.flow.pull_request import PullRequest, PullRequestState
from ai_ops.flow.task import Task, TaskState


def why_no_pull_request(issue: Issue, repair: Task | None, pull_request: PullRequest | None) -> str:
    """Return in words for people why nothing new is proposed for an issue.

    Args:
        issue: the issue.
        repair: the task of its present episode, if there is one.
        pull_request: its own, or the one that the repair has joined.
    """
    if said := _of_issue(issue):
        return said
    if pull_request is not None:
        return _of_pull_request(issue, pull_request)
    if repair is None:
        if not issue.triage.repair:
            return f"It is not repaired by itself: {issue.triage.reason}"
        return "No repair has begun in this episode: one begins when it happens again."
    return _of_repair(repair)


def _of_issue(issue: Issue) -> str:
    if issue.state is IssueState.MERGED:
        return f"It was merged into issue {issue.merged_into}."
    if issue.state is IssueState.IGNORED:
        return "A person chose to ignore it."
    return issue.waiting_reason


def _of_pull_request(issue: Issue, pull_request: PullRequest) -> str:
    if pull_request.state is PullRequestState.OPEN:
        return "Its pull request is open."
    if pull_request.state is PullRequestState.MERGED:
        return "Its pull request was merged."
    if pull_request.expired_at is not None:
        return "Nobody looked at its pull request, so we closed it. The next event begins another repair."
    return (
        "Its pull request was closed without a merge: it is not wanted. New evidence is another release "
        f"in which it happens, a clear rise ({RISE:g} times as often as before, and {MORE} times more), or a "
        f"person's word: ai-ops issue repair {issue.id}"
    )


def _of_repair(repair: Task) -> str:
    if repair.state is TaskState.NEEDS_HUMAN_REVIEW:
        waits = "for a place" if repair.waiting_for == NO_PLACE else "for a person"
        return f"Its repair waits {waits}: {repair.outcome_reason}"
    ended = f": {repair.outcome_reason}" if repair.outcome_reason else ""
    return f"Its repair is {repair.state.value}{ended}."
