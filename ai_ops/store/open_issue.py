"""An issue while an intake transaction lasts: its columns, and what the rules know of it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter
from typing import Any

from ai_ops.core import intake
from ai_ops.core.intake import IssueStanding
from ai_ops.flow.event import Event
from ai_ops.flow.issue import IssueState, TriageDecision
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import Priority, Task, TaskKind, TaskState
from ai_ops.store.rows import NAME, clean, moment, triage_columns

Key = tuple[str, str]
"""Fingerprint and repository key."""

SPIKE = "spike"
PLACE = "place"
QUEUE = "queue"
STORM = "storm:"
BY_EVENT = {"requested_by": "event"}

STANDING = (
    "state", "episode", "resolved_at", "triage_class", "triage_repair", "triage_reason", "triage_judge",
    "waiting_for", "waiting_reason",
)  # fmt: skip
"""The columns that say how an issue stands; most events change none of them."""

_KEPT_IN_ROW = itemgetter(*STANDING[3:])


@dataclass(slots=True, eq=False)
class OpenIssue:
    """An issue of the transaction. ``sample`` is set when a newer event took its place.

    ``called``: a repair was called for; it is decided on at the end, or waits as it did before.
    ``before`` are the columns of ``STANDING`` as they were read; of a fresh issue there are none.
    """

    row: dict[str, Any]
    standing: IssueStanding
    fresh: bool = False
    touched: bool = False
    called: bool = False
    sample: Event | None = None
    before: tuple[Any, ...] = ()

    def judged(self, decision: TriageDecision) -> None:
        """Take over what triage says."""
        self.row |= triage_columns(decision)

    def move_to(self, episode: int) -> None:
        """Enter an episode; the next one has no repair yet."""
        if episode != self.standing.episode:
            self.standing = replace(
                self.standing, episode=episode, task=None, pull_request=None, expired=False
            )

    def wait(self, what: str, reason: str) -> None:
        """Let its repair wait for something, or for nothing any more when ``what`` is empty."""
        self.row["waiting_for"], self.row["waiting_reason"] = what, clean(reason, 1000)
        if self.standing.waiting or self.standing.withdrawn:
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
        standing = self.standing
        return (standing.state, standing.episode, standing.resolved_at, *_KEPT_IN_ROW(self.row))

    def settle(self) -> bool:
        """Be as if read anew, after a transaction that wrote it; False where that cannot be."""
        if self.fresh or self.standing_columns() != self.before:
            return False
        self.touched = self.called = False
        self.sample = None
        return True


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
