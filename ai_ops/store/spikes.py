"""Spikes: how many repairs may begin now, by those of the last hour, and the end of waiting for a place."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Dialect, Exists, bindparam, exists, func, select, text, update

from ai_ops.core import flood
from ai_ops.core.flood import IntakeRules
from ai_ops.flow.issue import IssueState
from ai_ops.flow.task import Task
from ai_ops.store import tables
from ai_ops.store.open_issue import BY_EVENT, SPIKE, repair_of
from ai_ops.store.prepared import Moments, Reading

_HOUR = timedelta(hours=1)


class Room:
    """How many repairs may still begin, by the repairs of the last hour."""

    def __init__(self, repositories: Counter[str], nodes: Counter[str], rules: IntakeRules) -> None:
        self._repositories = repositories
        self._nodes = nodes
        self._rules = rules

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
        return cls(repositories, nodes, rules)

    def take(self, issue: Mapping[str, Any]) -> str:
        """Take a place for the repair of an issue; without one, return why it has to wait."""
        repo_key, node = issue["repo_key"], issue["node"]
        reason = flood.spike(self._repositories[repo_key], self._nodes[node], node, self._rules)
        if not reason:
            self._repositories[repo_key] += 1
            self._nodes[node] += 1
        return reason


def release_waiting(connection: Connection, now: datetime, rules: IntakeRules) -> list[Task]:
    """Return new repairs of issues that waited for a spike to pass, each repository's oldest first."""
    c = tables.issues.c
    connection.execute(
        update(tables.issues)
        .where(c.waiting_for == SPIKE, _has_repair())
        .values(waiting_for="", waiting_reason="")
    )
    turn = func.row_number().over(partition_by=c.repo_key, order_by=c.seq)
    columns = (c.id, c.repo_key, c.repo_url, c.code_host, c.fingerprint, c.episode, c.node)
    waiting = (
        select(*columns, turn.label("turn"))
        .where(c.waiting_for == SPIKE, c.state == IssueState.OPEN)
        .subquery()
    )
    some = select(waiting).where(waiting.c.turn <= max(1, rules.tasks_per_hour))
    rows = [dict(row) for row in (connection.execute(some)).mappings()]
    if not rows:
        return []
    room = Room.load(connection, now, rules)
    tasks = [repair_of(row, row["episode"], now, dict(BY_EVENT)) for row in rows if not room.take(row)]
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
