"""Spikes: how many repairs may begin now, by those of the last hour, and the end of waiting for a turn.

A repair whose pull request would find no place does not begin either: it would spend money for nothing.
Nor does one while the queue is full.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Dialect, Exists, bindparam, exists, func, select, text, update

from ai_ops.core import flood
from ai_ops.core.admission import issue_waits
from ai_ops.core.flood import IntakeRules
from ai_ops.core.publishing_limits import Published, no_room
from ai_ops.flow.issue import IssueState
from ai_ops.flow.task import Task
from ai_ops.store import gate, tables
from ai_ops.store.open_issue import BY_EVENT, PLACE, QUEUE, SPIKE, repair_of
from ai_ops.store.places import on_their_way, published
from ai_ops.store.prepared import Moments, Reading

TURNS = (SPIKE, PLACE, QUEUE)
"""What a repair waits for that begins when there is room."""

_HOUR = timedelta(hours=1)


class Room:
    """How many repairs may still begin, by the repairs of the last hour and the pull requests there are."""

    def __init__(
        self,
        connection: Connection,
        now: datetime,
        counted: tuple[Counter[str], Counter[str]],
        rules: IntakeRules,
    ) -> None:
        self._connection = connection
        self._now = now
        self._repositories, self._nodes = counted
        self._rules = rules
        self._published: dict[str, Published] = {}
        self._full = issue_waits(gate.load(connection))

    @classmethod
    def load(cls, connection: Connection, now: datetime, rules: IntakeRules) -> Room:
        """Count the repairs of the last hour."""
        repositories: Counter[str] = Counter()
        nodes: Counter[str] = Counter()
        if rules.tasks_per_hour:
            since = Moments(connection.dialect)[now - _HOUR]
            for repo_key, node, number in _repairs_since(connection.dialect).rows(connection, [since]):
                repositories[repo_key] += number
                nodes[node] += number
        return cls(connection, now, (repositories, nodes), rules)

    def take(self, issue: Mapping[str, Any]) -> tuple[str, str] | None:
        """Take room for the repair of an issue; without any, return what it waits for, and why."""
        if waits := self.lacks(issue):
            return waits
        repo_key, node = issue["repo_key"], issue["node"]
        self._repositories[repo_key] += 1
        self._nodes[node] += 1
        self._coming[repo_key] += 1
        return None

    def lacks(self, issue: Mapping[str, Any]) -> tuple[str, str] | None:
        """Return what the repair of an issue would wait for, and why; None when there is room."""
        repo_key, node = issue["repo_key"], issue["node"]
        if self._full:
            return QUEUE, self._full
        if reason := flood.spike(self._repositories[repo_key], self._nodes[node], node, self._rules):
            return SPIKE, reason
        if reason := self._no_place(repo_key):
            return PLACE, f"No place for its pull request: {reason}. It begins when there is room."
        return None

    @functools.cached_property
    def _coming(self) -> Counter[str]:
        return Counter(on_their_way(self._connection)) if self._rules.publishing else Counter()

    def _no_place(self, repo_key: str) -> str:
        limits = self._rules.publishing
        if not limits:
            return ""
        if repo_key not in self._published:
            self._published[repo_key] = published(self._connection, repo_key, self._now)
        there = self._published[repo_key].plus(self._coming[repo_key], self._coming.total())
        return no_room(there, limits)


def release_waiting(connection: Connection, now: datetime, rules: IntakeRules) -> list[Task]:
    """Return new repairs of issues that waited for their turn, each repository's oldest first."""
    c = tables.issues.c
    waits = c.waiting_for.in_(TURNS)
    connection.execute(
        update(tables.issues).where(waits, _has_repair()).values(waiting_for="", waiting_reason="")
    )
    turn = func.row_number().over(partition_by=c.repo_key, order_by=c.seq)
    columns = (c.id, c.repo_key, c.repo_url, c.code_host, c.fingerprint, c.episode, c.node)
    waiting = select(*columns, turn.label("turn")).where(waits, c.state == IssueState.OPEN).subquery()
    most = max(1, rules.tasks_per_hour, rules.publishing.open_at_once)
    rows = [
        dict(row) for row in (connection.execute(select(waiting).where(waiting.c.turn <= most))).mappings()
    ]
    if not rows:
        return []
    room = Room.load(connection, now, rules)
    tasks = [repair_of(row, row["episode"], now, dict(BY_EVENT)) for row in rows if room.take(row) is None]
    begun = [{"b_id": task.issue_id} for task in tasks]
    if begun:
        done = update(tables.issues).where(c.id == bindparam("b_id"))
        connection.execute(done.values(waiting_for="", waiting_reason=""), begun)
    return tasks


@functools.lru_cache(maxsize=8)
def _repairs_since(dialect: Dialect) -> Reading:
    tasks, issues = tables.tasks.c, tables.issues.c
    query = (
        select(tasks.repo_key, issues.node, func.count())
        .join(tables.issues, issues.id == tasks.issue_id)
        .where(tasks.created_at > bindparam("since"), text("kind = 'repair'"))
        .group_by(tasks.repo_key, issues.node)
    )
    return Reading(query, ["since"], dialect)


def _has_repair() -> Exists:
    """Return whether an issue's episode has its repair: it waits for nothing, and a second cannot be."""
    issues, tasks = tables.issues.c, tables.tasks.c
    return exists().where(
        text("kind = 'repair'"),
        tasks.fingerprint == issues.fingerprint,
        tasks.repo_key == issues.repo_key,
        tasks.episode == issues.episode,
    )
