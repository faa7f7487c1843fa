"""The issues that one transaction touches: loaded once, judged in memory event by event, written once.

The rules are ``core.intake``, ``core.triage``, ``core.rate`` and ``core.flood``; this is their thin shell. It
must run inside the one writing transaction, so that nothing changes between the look and the write.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Update, bindparam, insert, select, update

from ai_ops.core import intake
from ai_ops.core.expected import judge
from ai_ops.core.flood import IntakeRules
from ai_ops.core.intake import IntakeOutcome
from ai_ops.core.ports import NewTask
from ai_ops.core.provenance import own_work
from ai_ops.core.rate import Minute, store_one
from ai_ops.flow.event import Event
from ai_ops.flow.issue import IssueState, TriageClass, TriageDecision
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import Priority, Task, TaskState
from ai_ops.store import tables
from ai_ops.store.closing import recurred
from ai_ops.store.grants import Candidate, Grants
from ai_ops.store.open_issue import CHUNK, STANDING, Key, OpenIssue, known_issues, new_issue, repair_of
from ai_ops.store.rows import NAME, clean, count_of, error_json, event_json, moment, task_row, triage_from

KEPT_PAYLOADS = 50
"""How many events of an issue keep their whole payload; later ones keep who, when and how many."""

SAMPLED_PER_MINUTE = 10
"""How many events of an issue may become its sample in a minute: a sample is rewritten whole each time."""

_COUNTS = ("count", "payloads", "first_seen", "last_seen", "minute_at", "minute_events", "only_counted")


@dataclass(frozen=True, slots=True)
class TakenEvent:
    """What became of one event; ``candidate`` is the repair it calls for."""

    new: bool
    stored: bool = False
    candidate: Candidate | None = None


class IntakeBatch:
    """Takes events into issues, and makes the tasks that follow."""

    def __init__(self, connection: Connection, now: datetime, rules: IntakeRules) -> None:
        self._connection = connection
        self._now = now
        self._rules = rules
        self._seen: set[str] = set()
        self._issues: dict[Key, OpenIssue] = {}
        self._through: dict[Key, str] = {}
        self._joined: list[dict[str, Any]] = []
        self._events: list[dict[str, Any]] = []
        self._counted: list[dict[str, Any]] = []
        self._candidates: list[Candidate] = []
        self._tasks: list[Task] = []
        self._recurred: list[tuple[str, int]] = []  # issues, and the episodes that had mended them
        # Events of one text share its error, so what follows from that alone is found once. By identity.
        self._errors: dict[int, dict[str, Any]] = {}
        self._triaged: dict[tuple[int, str, str], TriageDecision] = {}

    @classmethod
    def load(
        cls,
        connection: Connection,
        events: Sequence[tuple[Event, Repository]],
        now: datetime,
        rules: IntakeRules | None = None,
    ) -> IntakeBatch:
        """Look up everything that these events may touch."""
        batch = cls(connection, now, rules or IntakeRules())
        ids = list({event.event_id for event, _ in events})
        for start in range(0, len(ids), CHUNK):
            some = ids[start : start + CHUNK]
            stored, counted = tables.events.c.event_id, tables.counted_events.c.event_id
            either = select(stored).where(stored.in_(some)).union_all(
                select(counted).where(counted.in_(some))
            )  # fmt: skip
            batch._seen.update((connection.execute(either)).scalars())
        keys = list({key for event, repository in events for key in _keys(event, repository)})
        batch._issues, batch._through = known_issues(connection, keys)
        return batch

    def take(self, event: Event, repository: Repository) -> TakenEvent:
        """Take one event."""
        if event.event_id in self._seen:
            return TakenEvent(new=False)
        issue = self._find(event, repository)
        decision = intake.take(
            issue.standing if issue else None,
            moment(event.occurred_at, self._now),
            self._judge(issue, event, repository.key),
        )
        if issue is None:
            issue = self._open(event, repository)
        if decision.outcome is IntakeOutcome.REGRESSED:
            self._recurred.append((issue.row["id"], issue.standing.episode))
        if decision.state is not issue.standing.state:
            resolved_at = None if decision.state is IssueState.OPEN else issue.standing.resolved_at
            issue.standing = replace(issue.standing, state=decision.state, resolved_at=resolved_at)
        issue.move_to(decision.episode)
        stored = self._count(issue, event)
        if decision.outcome is IntakeOutcome.REGRESSED or (
            decision.create_task and not issue.row["waiting_for"]
        ):
            issue.sample = event  # a repair is made from it
        if not decision.create_task:
            return TakenEvent(True, stored)
        issue.judged(self._triage(event, repository.key))
        issue.standing = replace(issue.standing, task=TaskState.PENDING)  # until it is decided
        candidate = Candidate(issue, decision.outcome is IntakeOutcome.NEW)
        self._candidates.append(candidate)
        return TakenEvent(True, stored, candidate)

    def request(
        self, event: Event, repository: Repository, new: NewTask
    ) -> tuple[Task | None, OpenIssue, int, str]:
        """Take a person's wish: the new repair or None, its issue and episode, and why there is none."""
        issue = self._find(event, repository)
        decision = intake.request(issue.standing if issue else None)
        if issue is None:
            issue = self._open(event, repository)
        issue.judged(self._triage(event, repository.key))
        issue.touched = True
        if new.issue_id is None and event.event_id not in self._seen:
            self._count(issue, event)
        if not decision.create_task:
            return None, issue, decision.episode, decision.reason
        if issue.standing.state is IssueState.RESOLVED and new.issue_id is None:
            self._recurred.append((issue.row["id"], issue.standing.episode))
        issue.standing = replace(issue.standing, state=IssueState.OPEN, resolved_at=None)
        issue.move_to(decision.episode)
        issue.wait("", "")
        payload = {"requested_by": "person", **new.payload}
        task = repair_of(issue.row, decision.episode, self._now, payload, Priority(new.priority))
        self._tasks.append(task)
        return task, issue, decision.episode, ""

    def settle(self) -> Grants:
        """Decide which of the repairs that events call for may begin."""
        loaded = {issue.row["id"]: issue for issue in self._distinct()}
        grants = Grants(self._connection, loaded, self._now, self._rules)
        if self._candidates:
            grants.settle(self._candidates)
        self._tasks += [candidate.task for candidate in self._candidates if candidate.task]
        self._tasks += grants.extra
        return grants

    def flush(self) -> None:
        """Write what was taken."""
        issues = self._distinct()
        fresh = [issue for issue in issues if issue.fresh]
        changed: dict[tuple[str, ...], list[OpenIssue]] = defaultdict(list)
        for issue in issues:
            if issue.touched and not issue.fresh:
                changed[_written(issue)].append(issue)
        rows = [{**i.columns(), "sample": self._json(i.sample)} for i in fresh if i.sample]
        self._insert(tables.issues, rows)
        self._insert(tables.issue_fingerprints, self._joined)
        for columns, some in changed.items():
            self._update(columns, some)
        self._insert(tables.events, self._events)
        self._insert(tables.counted_events, self._counted)
        self._insert(tables.tasks, [task_row(task) for task in self._tasks])
        recurred(self._connection, self._recurred, self._now)

    def _insert(self, table: Any, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            self._connection.execute(insert(table), rows)

    def _update(self, columns: tuple[str, ...], issues: Sequence[OpenIssue]) -> None:
        rows = []
        for issue in issues:
            row = issue.columns()
            if issue.sample is not None:
                row["sample"] = self._json(issue.sample)
            rows.append({f"b_{name}": row[name] for name in ("seq", *columns)})
        self._connection.execute(_update_of(columns), rows)

    def _json(self, event: Event) -> dict[str, Any]:
        """Return an event's JSON; its error is made only once for all events that share it."""
        error = self._errors.get(id(event.error))
        if error is None:
            error = self._errors[id(event.error)] = error_json(event.error)
        return event_json(event, error)

    def _distinct(self) -> list[OpenIssue]:
        return list({id(issue): issue for issue in self._issues.values()}.values())

    def _find(self, event: Event, repository: Repository) -> OpenIssue | None:
        """Return the issue of an event; one known under an earlier version's fingerprint takes it over."""
        own, *earlier = _keys(event, repository)
        if own in self._issues:
            return self._issues[own]
        for key in earlier:
            if key in self._issues:
                self._join(own, self._issues[key], through=self._through[key])
                return self._issues[key]
        return None

    def _open(self, event: Event, repository: Repository) -> OpenIssue:
        key = _keys(event, repository)[0]
        issue = new_issue(key[0], event, repository, self._now)
        issue.judged(self._triage(event, repository.key))
        self._join(key, issue)
        return issue

    def _join(self, key: Key, issue: OpenIssue, through: str = "") -> None:
        fingerprint, repo_key = key
        self._issues[key] = issue
        self._through[key] = through or fingerprint
        self._joined.append(
            {
                "fingerprint": fingerprint,
                "repo_key": repo_key,
                "issue_id": issue.row["id"],
                "through": through,
            }
        )

    def _triage(self, event: Event, repo_key: str) -> TriageDecision:
        if reason := own_work(event):
            return TriageDecision(TriageClass.EXPECTED, False, reason)
        key = id(event.error), event.level, repo_key
        if key not in self._triaged:
            self._triaged[key] = judge(event.error, event.level, repo_key, self._rules.expected)
        return self._triaged[key]

    def _judge(self, issue: OpenIssue | None, event: Event, repo_key: str) -> TriageDecision:
        """Triage where a task may follow; a repeat of an error that has its repair is not judged again."""
        standing = issue.standing if issue else None
        if issue is None or standing is None or standing.state is IssueState.RESOLVED or standing.withdrawn:
            return self._triage(event, repo_key)
        if standing.task is None:
            return self._triage(event, repo_key)
        return triage_from(issue.row)

    def _count(self, issue: OpenIssue, event: Event) -> bool:
        """Count an event; return whether it is stored too, or came faster than the limit."""
        row, at = issue.row, moment(event.occurred_at, self._now)
        number = count_of(event)
        minute, stored = store_one(
            Minute(row["minute_at"], row["minute_events"]), self._now, self._rules.stored_per_minute
        )
        row["minute_at"], row["minute_events"] = minute.began, minute.stored
        row["count"] += number
        row["first_seen"] = min(row["first_seen"], at)
        issue.touched = True
        if at >= row["last_seen"]:
            row["last_seen"] = at
            if minute.stored <= SAMPLED_PER_MINUTE:
                issue.sample = event
        self._seen.add(event.event_id)
        if stored:
            self._events.append(self._stored(row, event, at, number))
        else:
            row["only_counted"] += 1
            self._counted.append({"event_id": event.event_id, "received_at": self._now})
        return stored

    def _stored(self, row: dict[str, Any], event: Event, at: datetime, number: int) -> dict[str, Any]:
        keep = row["payloads"] < KEPT_PAYLOADS
        row["payloads"] += keep
        return {
            "event_id": event.event_id,
            "issue_id": row["id"],
            "occurred_at": at,
            "received_at": self._now,
            "node": clean(event.node, NAME),
            "service": clean(event.service, NAME),
            "environment": clean(event.environment, NAME),
            "release": clean(event.release, NAME),
            "count": number,
            "payload": self._json(event) if keep else None,
        }


def _written(issue: OpenIssue) -> tuple[str, ...]:
    """Return the columns to write of an issue that was there: one with an index is dear, changed or not."""
    sample = () if issue.sample is None else ("sample",)
    return (*_COUNTS, *(STANDING if issue.standing_columns() != issue.before else ()), *sample)


@functools.cache
def _update_of(columns: tuple[str, ...]) -> Update:
    return (
        update(tables.issues)
        .where(tables.issues.c.seq == bindparam("b_seq"))
        .values({name: bindparam(f"b_{name}") for name in columns})
    )


def _keys(event: Event, repository: Repository) -> list[Key]:
    """Return what an event's issue may be known by, the present grouping first."""
    error = event.error
    fingerprints: Iterable[str] = (error.fingerprint, *error.earlier_fingerprints)
    return [(clean(fingerprint, 128), repository.key) for fingerprint in fingerprints]
