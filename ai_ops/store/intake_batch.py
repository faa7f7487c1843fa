"""The issues that one transaction touches: loaded once, judged in memory event by event, written once.

The rules are ``core.intake`` and ``core.triage``; this is their thin shell. It must run inside the one
writing transaction, so that nothing changes between the look and the write.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Table, TextClause, bindparam, insert, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ai_ops.core import intake
from ai_ops.core.intake import IssueStanding
from ai_ops.core.ports import NewTask
from ai_ops.core.triage import triage
from ai_ops.flow.event import Event
from ai_ops.flow.issue import IssueState, TriageClass, TriageDecision
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import Priority, Task, TaskKind, TaskState
from ai_ops.store import tables
from ai_ops.store.rows import NAME, clean, count_of, event_json, moment, task_row

Key = tuple[str, str]
"""Fingerprint and repository key: what an issue is known by."""

KEPT_PAYLOADS = 50
"""How many events of an issue keep their whole payload; later ones keep who, when and how many."""

_CHUNK = 500
_CHANGING = (
    "episode", "state", "resolved_at", "count", "payloads", "first_seen", "last_seen",
    "triage_class", "triage_repair", "triage_reason",
)  # fmt: skip


@dataclass(slots=True)
class _OpenIssue:
    """An issue while the transaction lasts: its columns, and what intake knows of it."""

    row: dict[str, Any]
    standing: IssueStanding
    fresh: bool = False
    touched: bool = False
    sample: Event | None = None


class IntakeBatch:
    """Takes events into issues, and makes the tasks that follow."""

    def __init__(self, connection: AsyncConnection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self._seen: set[str] = set()
        self._issues: dict[Key, _OpenIssue] = {}
        self._events: list[dict[str, Any]] = []
        self._tasks: list[Task] = []

    @classmethod
    async def load(
        cls, connection: AsyncConnection, events: Sequence[tuple[Event, Repository]], now: datetime
    ) -> IntakeBatch:
        """Look up everything that these events may touch."""
        batch = cls(connection, now)
        ids = list({event.event_id for event, _ in events})
        known = tables.events.c.event_id
        for start in range(0, len(ids), _CHUNK):
            rows = await connection.execute(select(known).where(known.in_(ids[start : start + _CHUNK])))
            batch._seen.update(rows.scalars())
        keys = list({_key(event, repository) for event, repository in events})
        for start in range(0, len(keys), _CHUNK):
            await batch._load_issues(keys[start : start + _CHUNK])
        return batch

    async def _load_issues(self, keys: Sequence[Key]) -> None:
        issues = tables.issues.c
        columns = [column for column in issues if column.name != "sample"]
        found = await self._rows(
            select(*columns).where(tuple_(issues.fingerprint, issues.repo_key).in_(keys))
        )
        if not found:
            return
        # SQLite uses a partial index only where its condition stands word for word.
        repairs = await self._states(tables.tasks, keys, text("kind = 'repair'"))
        pull_requests = await self._states(tables.pull_requests, keys)
        for row in found:
            key = (row["fingerprint"], row["repo_key"])
            task = repairs.get((*key, row["episode"]))
            pull_request = pull_requests.get((*key, row["episode"]))
            standing = IssueStanding(
                IssueState(row["state"]),
                row["episode"],
                TaskState(task) if task else None,
                PullRequestState(pull_request) if pull_request else None,
                row["resolved_at"],
            )
            self._issues[key] = _OpenIssue(dict(row), standing)

    async def _states(
        self, table: Table, keys: Sequence[Key], *only: TextClause
    ) -> dict[tuple[str, str, int], str]:
        """Return the newest state by fingerprint, repository and episode."""
        c = table.c
        wanted = tuple_(c.fingerprint, c.repo_key).in_(keys)
        query = select(c.fingerprint, c.repo_key, c.episode, c.state).where(wanted, *only).order_by(c.seq)
        rows = await self._rows(query)
        return {(row["fingerprint"], row["repo_key"], row["episode"]): row["state"] for row in rows}

    async def _rows(self, query: Any) -> Sequence[RowMapping]:
        return (await self._connection.execute(query)).mappings().all()

    def take(self, event: Event, repository: Repository) -> tuple[bool, Task | None]:
        """Take one event: whether it is new, and the repair that it calls for."""
        if event.event_id in self._seen:
            return False, None
        key = _key(event, repository)
        issue = self._issues.get(key)
        decision = intake.take(
            issue.standing if issue else None,
            moment(event.occurred_at, self._now),
            self._judge(issue, event),
        )
        if issue is None:
            issue = self._open(key, event, repository)
        issue.standing = replace(
            issue.standing,
            state=decision.state,
            resolved_at=None if decision.state is IssueState.OPEN else issue.standing.resolved_at,
        )
        self._move_to(issue, decision.episode)
        self._count(issue, event)
        if not decision.create_task:
            return True, None
        return True, self._repair(issue, event, repository, Priority.NORMAL, {"requested_by": "event"})

    def request(self, event: Event, repository: Repository, new: NewTask) -> tuple[Task | None, int, str]:
        """Take a person's wish: the new repair or None, its episode, and why there is no new one."""
        key = _key(event, repository)
        issue = self._issues.get(key)
        decision = intake.request(issue.standing if issue else None)
        if issue is None:
            issue = self._open(key, event, repository)
        _record_triage(issue, triage(event.error, event.level))
        issue.touched = True
        if event.event_id not in self._seen:
            self._count(issue, event)
        if not decision.create_task:
            return None, decision.episode, decision.reason
        issue.standing = replace(issue.standing, state=IssueState.OPEN, resolved_at=None)
        self._move_to(issue, decision.episode)
        payload = {"requested_by": "person", **new.payload}
        task = self._repair(issue, event, repository, Priority(new.priority), payload)
        return task, decision.episode, ""

    async def flush(self) -> None:
        """Write what was taken."""
        fresh = [issue for issue in self._issues.values() if issue.fresh]
        changed = [issue for issue in self._issues.values() if issue.touched and not issue.fresh]
        if fresh:
            rows = [{**i.row, **_standing_row(i), "sample": event_json(i.sample)} for i in fresh if i.sample]
            await self._connection.execute(insert(tables.issues), rows)
        for with_sample in (False, True):
            some = [i for i in changed if (i.sample is not None) is with_sample]
            if some:
                await self._update(some, with_sample)
        if self._events:
            await self._connection.execute(insert(tables.events), self._events)
        if self._tasks:
            await self._connection.execute(insert(tables.tasks), [task_row(task) for task in self._tasks])

    async def _update(self, issues: Sequence[_OpenIssue], with_sample: bool) -> None:
        columns = (*_CHANGING, "sample") if with_sample else _CHANGING
        statement = (
            update(tables.issues)
            .where(tables.issues.c.seq == bindparam("b_seq"))
            .values({name: bindparam(f"b_{name}") for name in columns})
        )
        rows = []
        for issue in issues:
            row = {**issue.row, **_standing_row(issue)}
            if issue.sample is not None:
                row["sample"] = event_json(issue.sample)
            rows.append({f"b_{name}": row[name] for name in ("seq", *columns)})
        await self._connection.execute(statement, rows)

    def _judge(self, issue: _OpenIssue | None, event: Event) -> TriageDecision:
        """Triage where a task may follow; a repeat of an error that has its repair is not judged again."""
        if issue is None or issue.standing.task is None or issue.standing.state is IssueState.RESOLVED:
            return triage(event.error, event.level)
        row = issue.row
        return TriageDecision(TriageClass(row["triage_class"]), row["triage_repair"], row["triage_reason"])

    def _open(self, key: Key, event: Event, repository: Repository) -> _OpenIssue:
        error, at = event.error, moment(event.occurred_at, self._now)
        issue = _OpenIssue(
            {
                "id": str(uuid.uuid4()),
                "repo_key": repository.key,
                "repo_url": repository.url,
                "code_host": repository.code_host,
                "fingerprint": key[0],
                "grouping_version": clean(error.grouping_version, 32),
                "title": intake.title(error),
                "language": clean(error.language, 64),
                "exception_type": clean(error.exception_type, 300),
                "culprit": clean(intake.culprit(error), 300),
                "count": 0,
                "payloads": 0,
                "first_seen": at,
                "last_seen": at,
            },
            IssueStanding(IssueState.OPEN, 1),
            fresh=True,
            sample=event,
        )
        _record_triage(issue, triage(error, event.level))
        self._issues[key] = issue
        return issue

    @staticmethod
    def _move_to(issue: _OpenIssue, episode: int) -> None:
        if episode != issue.standing.episode:
            issue.standing = replace(issue.standing, episode=episode, task=None, pull_request=None)

    def _count(self, issue: _OpenIssue, event: Event) -> None:
        row, at = issue.row, moment(event.occurred_at, self._now)
        keep = row["payloads"] < KEPT_PAYLOADS
        row["count"] += count_of(event)
        row["payloads"] += keep
        row["first_seen"] = min(row["first_seen"], at)
        issue.touched = True
        if at >= row["last_seen"]:
            row["last_seen"] = at
            issue.sample = event
        self._seen.add(event.event_id)
        self._events.append(
            {
                "event_id": event.event_id,
                "issue_id": row["id"],
                "occurred_at": at,
                "received_at": self._now,
                "node": clean(event.node, NAME),
                "service": clean(event.service, NAME),
                "environment": clean(event.environment, NAME),
                "release": clean(event.release, NAME),
                "count": count_of(event),
                "payload": event_json(event) if keep else None,
            }
        )

    def _repair(
        self,
        issue: _OpenIssue,
        event: Event,
        repository: Repository,
        priority: Priority,
        payload: dict[str, Any],
    ) -> Task:
        _record_triage(issue, triage(event.error, event.level))
        issue.standing = replace(issue.standing, task=TaskState.PENDING)
        task = Task(
            id=str(uuid.uuid4()),
            kind=TaskKind.REPAIR,
            state=TaskState.PENDING,
            priority=priority,
            created_at=self._now,
            updated_at=self._now,
            repo_key=repository.key,
            repo_url=repository.url,
            code_host=repository.code_host,
            issue_id=issue.row["id"],
            fingerprint=issue.row["fingerprint"],
            episode=issue.standing.episode,
            payload=payload,
        )
        self._tasks.append(task)
        return task


def _key(event: Event, repository: Repository) -> Key:
    return (clean(event.error.fingerprint, 128), repository.key)


def _record_triage(issue: _OpenIssue, decision: TriageDecision) -> None:
    issue.row["triage_class"] = decision.triage_class
    issue.row["triage_repair"] = decision.repair
    issue.row["triage_reason"] = clean(decision.reason, 1000)


def _standing_row(issue: _OpenIssue) -> dict[str, Any]:
    standing = issue.standing
    return {"state": standing.state, "episode": standing.episode, "resolved_at": standing.resolved_at}
