"""The issues that events belong to, looked up by fingerprint, each with what its standing is made of."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    FromClause,
    Select,
    case,
    exists,
    func,
    literal_column,
    select,
    text,
)

from ai_ops.core.intake import IssueStanding
from ai_ops.flow.issue import IssueState
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.flow.task import TaskState
from ai_ops.store import tables
from ai_ops.store.open_issue import STORM, Key, OpenIssue
from ai_ops.store.prepared import LONGEST, Reading, padded, places

_EXPIRED = "expired"  # a closed pull request that we closed ourselves


def known_issues(
    connection: Connection, keys: Sequence[Key], there: Iterable[OpenIssue] = ()
) -> tuple[dict[Key, OpenIssue], dict[Key, str]]:
    """Return the issue of each known fingerprint, and the fingerprint through which it got there.

    Several fingerprints may lead to one issue; then they share the object, and with those that are ``there``.
    """
    opened = {issue.row["id"]: issue for issue in there}
    issues: dict[Key, OpenIssue] = {}
    through: dict[Key, str] = {}
    for start in range(0, len(keys), LONGEST):
        some = keys[start : start + LONGEST]
        fingerprints = padded([fingerprint for fingerprint, _ in some])
        repo_keys = padded(list({repo_key for _, repo_key in some}))
        query = _belonging_to(len(fingerprints), len(repo_keys), connection.dialect)
        for known_as, came_through, *row in query.rows(connection, [*fingerprints, *repo_keys]):
            issue = _opened(row)
            key = (known_as, issue.row["repo_key"])
            issues[key] = opened.setdefault(issue.row["id"], issue)
            through[key] = came_through or known_as
    return issues, through


def belonging(
    fingerprints: Collection[str | ColumnElement[str]], repo_keys: Collection[str | ColumnElement[str]]
) -> Select[Any]:
    """Return the query of the issues of these fingerprints, and perhaps of some more.

    Pairs in one list would be clearer, but SQLite reads the whole table for them.
    """
    return _BELONGING.where(_KNOWN.fingerprint.in_(fingerprints), _KNOWN.repo_key.in_(repo_keys))


@functools.lru_cache(maxsize=64)
def _belonging_to(fingerprints: int, repo_keys: int, dialect: Dialect) -> Reading:
    known, of = places("fingerprint", fingerprints), places("repo", repo_keys)
    return Reading(belonging(known, of), [one.key for one in (*known, *of)], dialect)


def _opened(row: Sequence[Any]) -> OpenIssue:
    *columns, task, pull_request, storm = row
    issue = dict(zip(_NAMES, columns, strict=True))
    standing = _standing(
        issue["state"],
        issue["episode"],
        issue["resolved_at"],
        issue["waiting_reason"] if storm else "",
        task,
        pull_request,
        storm,
    )
    opened = OpenIssue(issue, standing)
    opened.before = opened.standing_columns()
    return opened


@functools.lru_cache(maxsize=256)
def _standing(
    state: str,
    episode: int,
    resolved_at: datetime | None,
    reason: str,
    task: str | None,
    pull_request: str | None,
    storm: str | None,
) -> IssueStanding:
    """Return a standing; most issues share theirs with many others."""
    return IssueStanding(
        IssueState(state),
        episode,
        TaskState(task) if task else None,
        _state_of(pull_request),
        resolved_at,
        waiting=reason if storm and not TaskState(storm).final else "",
        withdrawn=storm is not None and task == TaskState.CANCELLED,
        expired=pull_request == _EXPIRED,
    )


def _state_of(pull_request: str | None) -> PullRequestState | None:
    if pull_request == _EXPIRED:
        return PullRequestState.CLOSED
    return PullRequestState(pull_request) if pull_request else None


def _belonging() -> Select[Any]:
    """Return the query of issues by fingerprint, each with the states that its standing is made of."""
    issues, pull_requests = tables.issues.c, tables.pull_requests.c
    # Nobody gives what is always the same, so it stands in the text. And SQLite uses a partial index only
    # where its condition stands word for word.
    repair, storm = tables.tasks.alias("repair"), tables.tasks.alias("storm")
    repairs = select(repair.c.state).where(
        text("repair.kind = 'repair'"),
        repair.c.fingerprint == issues.fingerprint,
        repair.c.repo_key == issues.repo_key,
        repair.c.episode == issues.episode,
    )
    state = case(
        (
            (pull_requests.expired_at.is_not(None)) & (pull_requests.state == text("'closed'")),
            literal_column(f"'{_EXPIRED}'"),
        ),
        else_=pull_requests.state,
    )
    newest = (
        select(state)
        .where(
            pull_requests.fingerprint == issues.fingerprint,
            pull_requests.repo_key == issues.repo_key,
            pull_requests.episode == issues.episode,
        )
        .order_by(pull_requests.seq.desc())
        .limit(literal_column("1"))
        .offset(literal_column("0"))
    )
    # Without one of its own it is the one that its repair has joined.
    joined = (
        select(state)
        .join(repair, repair.c.pull_request_id == pull_requests.id)
        .where(
            text("repair.kind = 'repair'"),
            repair.c.fingerprint == issues.fingerprint,
            repair.c.repo_key == issues.repo_key,
            repair.c.episode == issues.episode,
        )
    )
    after: ColumnElement[int] = literal_column(str(len(STORM) + 1))
    storms = select(carried_on(storm)).where(storm.c.id == func.substr(issues.waiting_for, after))
    return select(
        _KNOWN.fingerprint.label("known_as"),
        _KNOWN.through,
        *(issues[name] for name in _NAMES),
        repairs.correlate(tables.issues).scalar_subquery().label("task_state"),
        func.coalesce(
            newest.correlate(tables.issues).scalar_subquery(),
            joined.correlate(tables.issues).scalar_subquery(),
        ).label("pull_request_state"),
        storms.correlate(tables.issues).scalar_subquery().label("storm_state"),
    ).join(tables.issues, issues.id == _KNOWN.issue_id)


def carried_on(carrier: FromClause) -> ColumnElement[str]:
    """Return the state of a storm's task; while its pull request is open, the storm is not over."""
    pulls = tables.pull_requests.alias("carried")
    is_open = exists().where(pulls.c.id == carrier.c.pull_request_id, pulls.c.state == text("'open'"))
    return case((is_open, literal_column(f"'{TaskState.PROCESSING.value}'")), else_=carrier.c.state)


_KNOWN = tables.issue_fingerprints.c
_NAMES = tuple(column.name for column in tables.issues.c if column.name != "sample")
_BELONGING = _belonging()
