"""Which of the repairs that a transaction's events call for may begin now; the rest wait, with the reason.

The rules are ``core.flood``. Storms are judged over the whole transaction and over what came before it
since the release changed; spikes by how many repairs the last hour has seen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, text, update

from ai_ops.core import flood
from ai_ops.core.flood import IntakeRules, Newcomer, Progress, Storm, progress
from ai_ops.flow.issue import IssueState
from ai_ops.flow.task import Task, TaskState
from ai_ops.store import tables
from ai_ops.store.known_issues import carried_on
from ai_ops.store.open_issue import BY_EVENT, STORM, OpenIssue, repair_of
from ai_ops.store.releases import Place, change_at
from ai_ops.store.rows import task_from, task_value
from ai_ops.store.spikes import Room


@dataclass(slots=True, eq=False)
class Candidate:
    """A repair that an event calls for; ``task`` is set once it may begin. ``new``: its error is new."""

    issue: OpenIssue
    new: bool
    task: Task | None = None

    def begin(self, now: datetime, storm: Mapping[str, Any] | None = None, reason: str = "") -> Task:
        """Make the task."""
        payload = {**BY_EVENT, "storm": dict(storm)} if storm else dict(BY_EVENT)
        self.issue.wait("", "")
        self.task = repair_of(self.issue.row, self.issue.standing.episode, now, payload, reason=reason)
        return self.task

    def wait(self, what: str, reason: str) -> None:
        """Let it wait; its issue has no repair in this episode yet."""
        self.issue.wait(what, reason)


class Grants:
    """Decides on the candidates of one transaction.

    Args:
        connection: the writing transaction.
        loaded: the issues that are in memory and will be written at its end, by id.
        now: the time.
        rules: the limits.
    """

    def __init__(
        self, connection: Connection, loaded: Mapping[str, OpenIssue], now: datetime, rules: IntakeRules
    ) -> None:
        self._connection = connection
        self._loaded = loaded
        self._now = now
        self._rules = rules
        self.extra: list[Task] = []
        """Repairs of issues that no candidate stands for."""
        self.withdrawn: list[Task] = []
        """Tasks taken back, as they are now."""

    def settle(self, candidates: Sequence[Candidate]) -> None:
        """Let each candidate begin or wait."""
        left = list(candidates)
        if self._rules.storm_fingerprints:
            for place, new in _by_place(candidates).items():
                decided = self._storm(place, new, [one for one in left if not one.new])
                left = [one for one in left if one not in decided]
        room = Room.load(self._connection, self._now, self._rules) if left else None
        for candidate in left:
            if room is not None and (waits := room.take(candidate.issue.row)):
                candidate.wait(*waits)
            else:
                candidate.begin(self._now)

    def _storm(self, place: Place, new: Sequence[Candidate], repeated: Sequence[Candidate]) -> set[Candidate]:
        """Return the candidates that a deploy storm has decided on: each is decided on once."""
        change = change_at(self._connection, place, self._now, self._rules.storm_seconds)
        if change is None:
            return set()
        before = self._earlier(place, change.at)
        if carried := self._carried(before):
            for candidate in new:
                candidate.wait(*carried)
            return set(new)
        tasks = self._repairs([row["id"] for row in before])
        # An earlier issue that had to wait may call for its repair again in this very transaction.
        ids = {row["id"] for row in before if row["id"] not in tasks}
        candidates = [*new, *(one for one in repeated if one.issue.row["id"] in ids)]
        here = {one.issue.row["id"] for one in candidates}
        before = [row for row in before if row["id"] not in here]
        newcomers = [
            Newcomer(row["fingerprint"], row["created_at"], progress(tasks.get(row["id"]))) for row in before
        ]
        newcomers += [
            Newcomer(c.issue.row["fingerprint"], c.issue.row["created_at"], Progress.NONE) for c in candidates
        ]
        storm = flood.storm(change, newcomers, self._rules)
        if storm is None:
            return set()
        self._collapse(storm, place, candidates, before, tasks)
        return set(candidates)

    def _earlier(self, place: Place, since: datetime) -> Sequence[dict[str, Any]]:
        """Return the issues of earlier transactions that came with this release and want a repair."""
        c = tables.issues.c
        query = select(*(column for column in c if column.name != "sample")).where(
            c.repo_key == place.repo_key,
            c.release == place.release,
            c.service == place.service,
            c.environment == place.environment,
            c.created_at >= since,
            c.state == IssueState.OPEN,
            c.triage_repair,
        )
        return [dict(row) for row in (self._connection.execute(query)).mappings()]

    def _carried(self, issues: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
        """Return what these wait for already, and why, while that storm's task is not over."""
        c = tables.tasks.c
        waiting = {row["waiting_for"]: row["waiting_reason"] for row in issues}
        for what, reason in waiting.items():
            if what.startswith(STORM):
                query = select(carried_on(tables.tasks)).where(c.id == what.removeprefix(STORM))
                state = (self._connection.execute(query)).scalar_one()
                if not TaskState(state).final:
                    return what, reason
        return None

    def _repairs(self, issue_ids: Sequence[str]) -> dict[str, Task]:
        """Return the newest repair of each issue."""
        c = tables.tasks.c
        wanted = (text("kind = 'repair'"), c.issue_id.in_(issue_ids))
        rows = self._connection.execute(select(tables.tasks).where(*wanted).order_by(c.seq))
        return {row["issue_id"]: task_from(row) for row in rows.mappings()}

    def _collapse(
        self,
        storm: Storm,
        place: Place,
        candidates: Sequence[Candidate],
        before: Sequence[dict[str, Any]],
        tasks: Mapping[str, Task],
    ) -> None:
        told = {
            "release_before": storm.change.before,
            "release_after": storm.change.after,
            "service": place.service,
            "environment": place.environment,
            "fingerprints": list(storm.fingerprints),
        }
        here = {c.issue.row["fingerprint"]: c for c in candidates}
        there = {row["fingerprint"]: row for row in before}
        if storm.carrier in here:
            carrier = here[storm.carrier].begin(self._now, told, storm.reason)
        else:
            row = there[storm.carrier]
            carrier = self._carry(row, tasks.get(row["id"]), told, storm.reason)
        for fingerprint in storm.waiting:
            if fingerprint in here:
                here[fingerprint].wait(STORM + carrier.id, storm.reason)
            else:
                row = there[fingerprint]
                self._wait(row["id"], STORM + carrier.id, storm.reason)
                self._withdraw(tasks.get(row["id"]), carrier, storm.reason)

    def _carry(self, row: dict[str, Any], task: Task | None, told: dict[str, Any], reason: str) -> Task:
        """Make the repair of an earlier issue, which has not begun, the one that stands for all."""
        self._wait(row["id"], "", "")
        if task is None:
            task = repair_of(row, row["episode"], self._now, {**BY_EVENT, "storm": told}, reason=reason)
            self.extra.append(task)
            return task
        changes = {
            "payload": {**task.payload, "storm": told},
            "outcome_reason": reason,
            "updated_at": self._now,
        }
        return self._change(task, changes)

    def _withdraw(self, task: Task | None, carrier: Task, reason: str) -> None:
        if task is not None:
            said = f"taken back for task {carrier.id}: {reason}"
            changes = {"state": TaskState.CANCELLED, "outcome_reason": said, "updated_at": self._now}
            self.withdrawn.append(self._change(task, changes))

    def _change(self, task: Task, changes: Mapping[str, Any]) -> Task:
        values = {name: task_value(name, value) for name, value in changes.items()}
        self._connection.execute(update(tables.tasks).where(tables.tasks.c.id == task.id).values(values))
        return replace(task, **changes)

    def _wait(self, issue_id: str, what: str, reason: str) -> None:
        if issue_id in self._loaded:
            self._loaded[issue_id].wait(what, reason)
            return
        values = {"waiting_for": what, "waiting_reason": reason}
        self._connection.execute(update(tables.issues).where(tables.issues.c.id == issue_id).values(values))


def _by_place(candidates: Sequence[Candidate]) -> dict[Place, list[Candidate]]:
    """Return the new errors that name a release, by where it runs."""
    found: dict[Place, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        row = candidate.issue.row
        if candidate.new and row["release"]:
            found[Place(row["repo_key"], row["service"], row["environment"], row["release"])].append(
                candidate
            )
    return found
