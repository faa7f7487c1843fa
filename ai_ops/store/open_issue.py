"""An issue while an intake transaction lasts: its columns, and what the rules know of it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, select, text

from ai_ops.core import intake
from ai_ops.core.intake import IssueStanding
from ai_ops.flow.event import Event
from ai_ops.flow.issue import IssueState, TriageDecision
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import Priority, Task, TaskKind, TaskState
from ai_ops.store import tables
from ai_ops.store.rows import NAME, clean, moment, triage_columns

Key = tuple[str, str]
"""Fingerprint and repository key."""

SPIKE = "spike"
STORM = "storm:"
BY_EVENT = {"requested_by": "event"}
CHUNK = 500


STANDING = (
    "state", "episode", "resolved_at", "triage_class", "triage_repair", "triage_reason", "triage_judge",
    "waiting_for", "waiting_reason",
)  # fmt: skip
"""The columns that say how an issue stands; most events change none of them."""


@dataclass(slots=True, eq=False)
class OpenIssue:
    """An issue of the transaction. ``sample`` is set when a newer event took its place.

    ``before`` are the columns of ``STANDING`` as they were read; of a fresh issue there are none.
    """

    row: dict[str, Any]
    standing: IssueStanding
    fresh: bool = False
    touched: bool = False
    sample: Event | None = None
    before: tuple[Any, ...] = ()

    def judged(self, decision: TriageDecision) -> None:
        """Take over what triage says."""
        self.row |= triage_columns(decision)

    def move_to(self, episode: int) -> None:
        """Enter an episode; the next one has no repair yet."""
        if episode != self.standing.episode:
            self.standing = replace(self.standing, episode=episode, task=None, pull_request=None)

    def wait(self, what: str, reason: str) -> None:
        """Let its repair wait for something, or for nothing any more when ``what`` is empty."""
        self.row["waiting_for"], self.row["waiting_reason"] = what, clean(reason, 1000)
        self.standing = replace(self.standing, waiting="", withdrawn=False)
        self.touched = True

    def columns(self) -> dict[str, Any]:
        """Return the row with what the standing says."""
        standing = self.standing
        return self.row | {
            "state": standing.state,
            "episode": standing.episode,
            "resolved_at": standing.resolved_at,
        }

    def standing_columns(self) -> tuple[Any, ...]:
        """Return the columns of ``STANDING`` as they are now."""
        standing, row = self.standing, self.row
        now = standing.state, standing.episode, standing.resolved_at
        return (*now, *(row[name] for name in STANDING[len(now) :]))


def new_issue(fingerprint: str, event: Event, repository: Repository, now: datetime) -> OpenIssue:
    """Return the issue that an event opens; the event itself is not counted or judged yet."""
    error, at = event.error, moment(event.occurred_at, now)
    row = {
        "id": str(uuid.uuid4()),
        "repo_key": repository.key,
        "repo_url": repository.url,
        "code_host": repository.code_host,
        "fingerprint": fingerprint,
        "grouping_version": clean(error.grouping_version, 32),
        "title": intake.title(error),
        "language": clean(error.language, 64),
        "exception_type": clean(error.exception_type, 300),
        "culprit": clean(intake.culprit(error), 300),
        "count": 0,
        "payloads": 0,
        "first_seen": at,
        "last_seen": at,
        "created_at": now,
        "node": clean(event.node, NAME),
        "service": clean(event.service, NAME),
        "environment": clean(event.environment, NAME),
        "release": clean(event.release, NAME),
        "minute_at": None,
        "minute_events": 0,
        "only_counted": 0,
        "waiting_for": "",
        "waiting_reason": "",
        "merged_into": None,
    }
    return OpenIssue(row, IssueStanding(IssueState.OPEN, 1), fresh=True, sample=event)


def repair_of(
    row: dict[str, Any],
    episode: int,
    now: datetime,
    payload: dict[str, Any],
    priority: Priority = Priority.NORMAL,
    reason: str = "",
) -> Task:
    """Return a new repair of the issue in a row."""
    return Task(
        id=str(uuid.uuid4()),
        kind=TaskKind.REPAIR,
        state=TaskState.PENDING,
        priority=priority,
        created_at=now,
        updated_at=now,
        repo_key=row["repo_key"],
        repo_url=row["repo_url"],
        code_host=row["code_host"],
        issue_id=row["id"],
        fingerprint=row["fingerprint"],
        episode=episode,
        payload=payload,
        outcome_reason=reason,
    )


def known_issues(connection: Connection, keys: Sequence[Key]) -> tuple[dict[Key, OpenIssue], dict[Key, str]]:
    """Return the issue of each known fingerprint, and the fingerprint through which it got there.

    Several fingerprints may lead to one issue; then they share the object.
    """
    opened: dict[str, OpenIssue] = {}
    issues: dict[Key, OpenIssue] = {}
    through: dict[Key, str] = {}
    for start in range(0, len(keys), CHUNK):
        some = keys[start : start + CHUNK]
        for row in (connection.execute(belonging(some))).mappings():
            key = (row["known_as"], row["repo_key"])
            if row["id"] not in opened:
                opened[row["id"]] = _opened(row)
            issues[key] = opened[row["id"]]
            through[key] = row["through"] or row["known_as"]
    return issues, through


def _opened(row: RowMapping) -> OpenIssue:
    issue = OpenIssue({name: row[name] for name in _NAMES}, _standing(row))
    issue.before = issue.standing_columns()
    return issue


def belonging(keys: Sequence[Key]) -> Select[Any]:
    """Return the query of the issues of these fingerprints, and perhaps of some more.

    Pairs in one list would be clearer, but SQLite reads the whole table for them.
    """
    fingerprints, repo_keys = zip(*keys, strict=True)
    return _BELONGING.where(_KNOWN.fingerprint.in_(fingerprints), _KNOWN.repo_key.in_(set(repo_keys)))


def _standing(row: RowMapping) -> IssueStanding:
    task, pull_request, storm = row["task_state"], row["pull_request_state"], row["storm_state"]
    return IssueStanding(
        IssueState(row["state"]),
        row["episode"],
        TaskState(task) if task else None,
        PullRequestState(pull_request) if pull_request else None,
        row["resolved_at"],
        waiting=row["waiting_reason"] if storm and not TaskState(storm).final else "",
        withdrawn=storm is not None and task == TaskState.CANCELLED,
    )


def _belonging() -> Select[Any]:
    """Return the query of issues by fingerprint, each with the states that its standing is made of."""
    issues, pull_requests = tables.issues.c, tables.pull_requests.c
    # SQLite uses a partial index only where its condition stands word for word.
    repair, storm = tables.tasks.alias("repair"), tables.tasks.alias("storm")
    repairs = select(repair.c.state).where(
        text("repair.kind = 'repair'"),
        repair.c.fingerprint == issues.fingerprint,
        repair.c.repo_key == issues.repo_key,
        repair.c.episode == issues.episode,
    )
    newest = (
        select(pull_requests.state)
        .where(
            pull_requests.fingerprint == issues.fingerprint,
            pull_requests.repo_key == issues.repo_key,
            pull_requests.episode == issues.episode,
        )
        .order_by(pull_requests.seq.desc())
        .limit(1)
    )
    storms = select(storm.c.state).where(storm.c.id == func.substr(issues.waiting_for, len(STORM) + 1))
    return select(
        _KNOWN.fingerprint.label("known_as"),
        _KNOWN.through,
        *(issues[name] for name in _NAMES),
        repairs.correlate(tables.issues).scalar_subquery().label("task_state"),
        newest.correlate(tables.issues).scalar_subquery().label("pull_request_state"),
        storms.correlate(tables.issues).scalar_subquery().label("storm_state"),
    ).join(tables.issues, issues.id == _KNOWN.issue_id)


_KNOWN = tables.issue_fingerprints.c
_NAMES = tuple(column.name for column in tables.issues.c if column.name != "sample")
_BELONGING = _belonging()
