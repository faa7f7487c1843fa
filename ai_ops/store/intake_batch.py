"""The issues that one transaction touches: loaded once, judged in memory event by event, written once.

The rules are ``core.intake``, ``core.triage``, ``core.rate`` and ``core.flood``; this is their thin shell. It
must run inside the one writing transaction, so that nothing changes between the look and the write.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from ai_ops.core import intake
from ai_ops.core.flood import IntakeRules
from ai_ops.core.intake import IntakeOutcome
from ai_ops.core.ports import NewTask
from ai_ops.core.rate import Minute, store_one
from ai_ops.flow.event import Event
from ai_ops.flow.issue import IssueState, TriageDecision
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import Priority, Task
from ai_ops.store import tables
from ai_ops.store.closing import recurred
from ai_ops.store.grants import Candidate, Grants
from ai_ops.store.intake_statements import taken_before, update_issues, write_events
from ai_ops.store.issue_memory import IssueMemory
from ai_ops.store.known_issues import known_issues
from ai_ops.store.open_issue import STANDING, Key, OpenIssue, new_issue, repair_of
from ai_ops.store.prepared import Moments
from ai_ops.store.rows import count_of, moment, task_row, triage_from
from ai_ops.store.shared import Shared
from ai_ops.store.spikes import TURNS, Room

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
        self._moments = Moments(connection.dialect)
        self._seen: set[str] = set()
        self._issues: dict[Key, OpenIssue] = {}
        self._through: dict[Key, str] = {}
        self._joined: list[dict[str, Any]] = []
        self._events: list[list[Any]] = []
        self._counted: list[list[Any]] = []
        self._candidates: list[Candidate] = []
        self._tasks: list[Task] = []
        self._recurred: list[tuple[str, int]] = []  # issues, and the episodes that had mended them
        self._shared = Shared(rules)
        self._room: Room | None = None  # as it was before this transaction

    @classmethod
    def load(
        cls,
        connection: Connection,
        events: Sequence[tuple[Event, Repository]],
        now: datetime,
        rules: IntakeRules | None = None,
        memory: IssueMemory | None = None,
    ) -> IntakeBatch:
        """Look up everything that these events may touch, but for the issues that a memory knows."""
        batch = cls(connection, now, rules or IntakeRules())
        batch._seen = taken_before(connection, list({event.event_id for event, _ in events}))
        keys = {key for event, repository in events for key in batch._shared.keys(event, repository.key)}
        if memory:
            batch._issues, batch._through = memory.recall(connection, keys)
        missing = list(keys - batch._issues.keys())
        issues, through = known_issues(connection, missing, batch._issues.values())
        batch._issues |= issues
        batch._through |= through
        return batch

    def take(self, event: Event, repository: Repository) -> TakenEvent:
        """Take one event."""
        if event.event_id in self._seen:
            return _DUPLICATE
        issue = self._find(event, repository)
        if issue is not None and (intake.only_counts(issue.standing) or self._decided(issue)):
            return _STORED if self._count(issue, event) else _COUNTED
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
        issue.judged(self._shared.triage(event, repository.key))
        issue.called = True
        candidate = Candidate(issue, decision.outcome is IntakeOutcome.NEW)
        self._candidates.append(candidate)
        return TakenEvent(True, stored, candidate)

    def reopen(self, event: Event, repository: Repository) -> OpenIssue | None:
        """Open the next episode of the issue of an event that was taken before: its merged fix failed.

        None, and nothing is changed, where ``intake.came_back`` has nothing to open.
        """
        issue = self._find(event, repository)
        triage = self._shared.triage(event, repository.key)
        decision = intake.came_back(issue.standing, triage) if issue else None
        if issue is None or decision is None:
            return None
        self._recurred.append((issue.row["id"], issue.standing.episode))
        issue.standing = replace(issue.standing, state=IssueState.OPEN, resolved_at=None)
        issue.move_to(decision.episode)
        issue.sample, issue.touched = event, True
        if decision.create_task:
            issue.judged(triage)
            self._candidates.append(Candidate(issue, False))
        return issue

    def request(
        self, event: Event, repository: Repository, new: NewTask
    ) -> tuple[Task | None, OpenIssue, int, str]:
        """Take a person's wish: the new repair or None, its issue and episode, and why there is none."""
        issue = self._find(event, repository)
        decision = intake.request(issue.standing if issue else None, insists=new.issue_id is not None)
        if issue is None:
            issue = self._open(event, repository)
        issue.judged(self._shared.triage(event, repository.key))
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

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The new tasks."""
        return tuple(self._tasks)

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
        rows = [{**i.columns(), "sample": self._shared.json(i.sample)} for i in fresh if i.sample]
        self._insert(tables.issues, rows)
        self._insert(tables.issue_fingerprints, self._joined)
        for columns, some in changed.items():
            self._update(columns, some)
        write_events(self._connection, self._events, self._counted, self._moments)
        self._insert(tables.tasks, [task_row(task) for task in self._tasks])
        recurred(self._connection, self._recurred, self._now)

    def remember(self, memory: IssueMemory) -> None:
        """Have the issues remembered that are read as they are here, once this is committed."""
        if self._candidates or self._joined or self._recurred or self._tasks:
            return  # more than counts was written, and perhaps of issues that are not here
        memory.keep(self._issues, self._through)

    def _insert(self, table: Any, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            self._connection.execute(insert(table), rows)

    def _update(self, names: tuple[str, ...], issues: Sequence[OpenIssue]) -> None:
        rows = []
        for issue in issues:
            row = issue.columns()
            if issue.sample is not None:
                row["sample"] = self._shared.json(issue.sample)
            rows.append([row[name] for name in (*names, "seq")])
        update_issues(self._connection, names, rows, self._moments)

    def _distinct(self) -> list[OpenIssue]:
        return list({id(issue): issue for issue in self._issues.values()}.values())

    def _find(self, event: Event, repository: Repository) -> OpenIssue | None:
        """Return the issue of an event; one known under an earlier version's fingerprint takes it over."""
        own, *earlier = self._shared.keys(event, repository.key)
        if own in self._issues:
            return self._issues[own]
        for key in earlier:
            if key in self._issues:
                self._join(own, self._issues[key], through=self._through[key])
                return self._issues[key]
        return None

    def _open(self, event: Event, repository: Repository) -> OpenIssue:
        key = self._shared.keys(event, repository.key)[0]
        issue = new_issue(key[0], event, repository, self._now)
        issue.judged(self._shared.triage(event, repository.key))
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

    def _decided(self, issue: OpenIssue) -> bool:
        """Return whether this transaction need not decide about an issue's repair, or not once more.

        While a spike lasts nearly every event is of an issue that waits for its turn already.
        """
        if issue.called:
            return True
        standing, row = issue.standing, issue.row
        if row["waiting_for"] not in TURNS or standing.state is not IssueState.OPEN or standing.task:
            return False
        if self._room is None:
            self._room = Room.load(self._connection, self._now, self._rules)
        issue.called = self._room.lacks(row) == (row["waiting_for"], row["waiting_reason"])
        return issue.called

    def _judge(self, issue: OpenIssue | None, event: Event, repo_key: str) -> TriageDecision:
        """Triage where a task may follow; a repeat of an error that has its repair is not judged again."""
        standing = issue.standing if issue else None
        if issue is None or standing is None or standing.state is IssueState.RESOLVED or standing.anew:
            return self._shared.triage(event, repo_key)
        if standing.task is None:
            return self._shared.triage(event, repo_key)
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
            self._counted.append([event.event_id, self._now])
        return stored

    def _stored(self, row: dict[str, Any], event: Event, at: datetime, number: int) -> list[Any]:
        """Return the row of an event, in the order of ``intake_statements.EVENT``."""
        keep = row["payloads"] < KEPT_PAYLOADS
        row["payloads"] += keep
        payload = self._shared.json(event) if keep else None
        return [event.event_id, row["id"], at, self._now, *self._shared.origin(event), number, payload]


def _written(issue: OpenIssue) -> tuple[str, ...]:
    """Return the columns to write of an issue that was there: one with an index is dear, changed or not."""
    stands = issue.standing_columns() != issue.before
    return _WRITTEN[stands, issue.sample is not None]


def _columns(stands: bool, sample: bool) -> tuple[str, ...]:
    wanted = {*_COUNTS, *(STANDING if stands else ()), *(("sample",) if sample else ())}
    return tuple(column.name for column in tables.issues.c if column.name in wanted)


_WRITTEN = {
    (stands, sample): _columns(stands, sample) for stands in (False, True) for sample in (False, True)
}
_DUPLICATE, _STORED, _COUNTED = TakenEvent(False), TakenEvent(True, True), TakenEvent(True, False)
