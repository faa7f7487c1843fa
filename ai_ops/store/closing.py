"""Makes the bug case of an issue's episode where that comes to its end, in the same commit.

Whatever ends an episode (a pull request merged or closed, an issue resolved) or takes that back calls
``settle``, which looks at how things stand by now. So it may be called as often as one likes, in any order.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, delete, func, select, text, update

from ai_ops.core.bug_cases import case_id, outcome_of
from ai_ops.core.similarity import likeness
from ai_ops.flow.bug_case import BugCase, BugCaseOutcome
from ai_ops.flow.issue import IssueState
from ai_ops.flow.pull_request import PullRequest, PullRequestState
from ai_ops.flow.run import StepState
from ai_ops.store import tables
from ai_ops.store.bug_cases import keep
from ai_ops.store.rows import issue_from, pull_request_from

_CASES = tables.bug_cases.c


def settle(connection: Connection, issue_id: str | None, episode: int, now: datetime) -> None:
    """Make, renew or take back the case of an episode, as its pull request and its issue stand now."""
    row = _first(connection, tables.issues, tables.issues.c.id == issue_id) if issue_id else None
    if row is None:
        return
    this = (_CASES.issue_id == row["id"]) & (_CASES.episode == episode)
    known = _first(connection, tables.bug_cases, this)
    present = row["episode"] == episode
    resolved = row["state"] == IssueState.RESOLVED if present else bool(known and known["resolved"])
    pull_request = _pull_request(connection, row, episode)
    outcome = outcome_of(pull_request.state if pull_request else None, resolved=resolved)
    if outcome is not None:
        keep(connection, _case(connection, row, episode, pull_request, outcome, resolved, now))
    elif known is not None and known["recurrences"]:  # what came back stays on record
        connection.execute(update(tables.bug_cases).where(this).values(resolved=False, updated_at=now))
    else:
        connection.execute(delete(tables.bug_cases).where(this))


def recurred(connection: Connection, episodes: Iterable[tuple[str, int]], now: datetime) -> None:
    """Count that the errors of these issues came back after these episodes had ended."""
    for issue_id, episode in episodes:
        connection.execute(
            update(tables.bug_cases)
            .where(_CASES.issue_id == issue_id, _CASES.episode == episode)
            .values(
                resolved=False,
                recurrences=_CASES.recurrences + 1,
                last_recurred_at=now,
                updated_at=now,
            )
        )


def _case(
    connection: Connection,
    row: RowMapping,
    episode: int,
    pull_request: PullRequest | None,
    outcome: BugCaseOutcome,
    resolved: bool,
    now: datetime,
) -> BugCase:
    issue = issue_from(row)
    repair = _first(connection, tables.tasks, text("kind = 'repair'"), *_of(tables.tasks, row, episode))
    said = _said(connection, repair["trace_id"]) if repair and pull_request is None else ""
    return BugCase(
        id=case_id(issue.id, episode),
        repo_key=issue.repo_key,
        repo_url=issue.repo_url,
        issue_id=issue.id,
        episode=episode,
        fingerprint=issue.fingerprint,
        title=issue.title,
        error=issue.sample.error,
        likeness=likeness(issue.sample.error),
        outcome=outcome,
        created_at=now,
        updated_at=now,
        cause=pull_request.cause if pull_request else said,
        resolved=resolved,
        task_id=repair["id"] if repair else None,
        cost_usd=_cost(connection, issue.id, episode),
        **_change(pull_request, outcome),
    )


def _change(pull_request: PullRequest | None, outcome: BugCaseOutcome) -> dict[str, Any]:
    """Return what a person decided on; of a change that is still open nobody knows whether it mended it."""
    if pull_request is None:
        return {}
    named = {"pull_request_id": pull_request.id, "pr_url": pull_request.url}
    if outcome is BugCaseOutcome.RESOLVED:
        return named
    return {
        **named,
        "summary": pull_request.summary,
        "diff": pull_request.diff,
        "proof": pull_request.proof,
    }


def _pull_request(connection: Connection, row: RowMapping, episode: int) -> PullRequest | None:
    """Return the pull request of an episode: one that was merged first, then the newest.

    Without one of its own it is the one that its repair has joined, because that proposes the same change.
    """
    table = tables.pull_requests
    query = select(table).where(*_of(table, row, episode)).order_by(
        (table.c.state == PullRequestState.MERGED).desc(), table.c.seq.desc()
    )  # fmt: skip
    found = connection.execute(query.limit(1)).mappings().first()
    if found is None:
        repair = select(tables.tasks.c.pull_request_id).where(
            text("kind = 'repair'"), *_of(tables.tasks, row, episode)
        )
        found = _first(connection, table, table.c.id == repair.scalar_subquery())
    return pull_request_from(found) if found else None


def _said(connection: Connection, run_id: str | None) -> str:
    """Return the cause that the fixer named in a run, which a change that was not published leaves behind."""
    c = tables.steps.c
    query = select(c.output).where(
        c.run_id == run_id, c.name.in_(("fix", "reproduce")), c.state == StepState.DONE
    )
    for output in connection.execute(query.order_by(c.seq.desc())).scalars():
        if cause := ((output or {}).get("said") or {}).get("cause"):
            return str(cause)
    return ""


def _cost(connection: Connection, issue_id: str, episode: int) -> float:
    c = tables.tasks.c
    spent = select(func.coalesce(func.sum(c.cost_usd), 0.0)).where(
        c.issue_id == issue_id, c.episode == episode
    )
    return float(connection.execute(spent).scalar_one())


def _of(table: Table, issue: RowMapping, episode: int) -> tuple[Any, ...]:
    """Return what finds the rows of an issue's episode; they are known by the issue's own fingerprint."""
    c = table.c
    return c.fingerprint == issue["fingerprint"], c.repo_key == issue["repo_key"], c.episode == episode


def _first(connection: Connection, table: Table, *where: Any) -> RowMapping | None:
    return connection.execute(select(table).where(*where).limit(1)).mappings().first()
