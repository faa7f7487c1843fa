"""Errors whose pull request was closed unmerged: what was known of each, what came since, and what follows.

Each event is read once: ``looked_to`` says how far. So a look costs what is new, however old the error is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from ai_ops.core.evidence import WEEK, Refusal, Seen, new_evidence
from ai_ops.core.flood import IntakeRules
from ai_ops.flow.issue import IssueState
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.flow.task import Task, TaskKind
from ai_ops.store import tables
from ai_ops.store.open_issue import BY_EVENT, repair_of
from ai_ops.store.rows import task_row
from ai_ops.store.spikes import Room

_ISSUES, _EVENTS, _REFUSALS = tables.issues.c, tables.events.c, tables.refusals.c
_PULLS, _TASKS = tables.pull_requests.c, tables.tasks.c
_CLOSED_AT = func.coalesce(_PULLS.closed_at, _PULLS.updated_at)  # older records do not name the moment
_MOST_RELEASES = 50


@dataclass(frozen=True, slots=True)
class Since:
    """What happened between two looks."""

    events: int
    releases: tuple[str, ...]
    looked_to: int


def reconsider(connection: Connection, now: datetime, rules: IntakeRules) -> list[Task]:
    """Open the next episode of errors that were turned down, where there is new evidence.

    Returns the repairs that begin, which are stored; the others wait like those of new errors.
    """
    room: Room | None = None
    begun = []
    for row in _turned_down(connection):
        refusal = _look(connection, row, now)
        if not (evidence := new_evidence(refusal)):
            continue
        room = room or Room.load(connection, now, rules)
        if task := _begin(connection, row, evidence, room, now):
            begun.append(task)
    return begun


def forget(connection: Connection, issue_id: str) -> None:
    """Forget what was known: a person has said that the error is to be looked at again."""
    connection.execute(delete(tables.refusals).where(_REFUSALS.issue_id == issue_id))


def is_turned_down(connection: Connection, issue: Mapping[str, Any]) -> bool:
    """Whether the pull request of an issue's episode was closed unmerged by a person."""
    return connection.execute(_query().where(_ISSUES.id == issue["id"]).limit(1)).first() is not None


def _turned_down(connection: Connection) -> Iterable[RowMapping]:
    """Return the open issues that happened again since."""
    again = (_ISSUES.state == IssueState.OPEN, _ISSUES.triage_repair, _ISSUES.last_seen > _CLOSED_AT)
    return connection.execute(_query().where(*again, _ISSUES.waiting_for == "")).mappings().all()


def _query() -> Any:
    names = ("id", "repo_key", "repo_url", "code_host", "fingerprint", "episode", "node", "first_seen")
    its_issue = (
        (_ISSUES.fingerprint == _TASKS.fingerprint)
        & (_ISSUES.repo_key == _TASKS.repo_key)
        & (_ISSUES.episode == _TASKS.episode)
    )
    return (
        select(*(_ISSUES[name] for name in names), _CLOSED_AT.label("closed_at"))
        .select_from(tables.pull_requests)
        .join(tables.tasks, _TASKS.pull_request_id == _PULLS.id)
        .join(tables.issues, its_issue)
        .where(
            _PULLS.state == PullRequestState.CLOSED,
            _PULLS.expired_at.is_(None),
            # Without an index on this side the few closed pull requests come first, not all the repairs.
            _TASKS.kind.concat("") == TaskKind.REPAIR,
        )
        .order_by(_ISSUES.seq)
    )


def _look(connection: Connection, row: RowMapping, now: datetime) -> Refusal:
    """Return how an error stands that was turned down; what is new is added to what is kept."""
    this = (_REFUSALS.issue_id == row["id"], _REFUSALS.episode == row["episode"])
    kept = connection.execute(select(tables.refusals).where(*this)).mappings().first()
    known = dict(kept) if kept is not None else _noted(connection, row)
    since = _since(connection, row["id"], known["closed_at"], known["looked_to"])
    known["since"] += since.events
    known["releases_since"] = list(dict.fromkeys([*known["releases_since"], *since.releases]))[
        :_MOST_RELEASES
    ]
    if since.looked_to > known["looked_to"]:
        known["looked_to"] = since.looked_to
        connection.execute(update(tables.refusals).where(*this).values(known))
    return Refusal(
        known["closed_at"],
        Seen(known["before"], timedelta(seconds=known["before_seconds"])),
        Seen(known["since"], now - known["closed_at"]),
        frozenset(known["releases"]),
        tuple(known["releases_since"]),
    )


def _noted(connection: Connection, row: RowMapping) -> dict[str, Any]:
    """Keep what was known when the pull request was closed: the releases, and how often it happened."""
    closed_at: datetime = row["closed_at"]
    before = (_EVENTS.issue_id == row["id"], _EVENTS.occurred_at <= closed_at)
    releases = connection.execute(select(_EVENTS.release).where(*before, _EVENTS.release != "").distinct())
    began = max(closed_at - WEEK, row["first_seen"])
    number = select(func.coalesce(func.sum(_EVENTS.count), 0)).where(*before, _EVENTS.occurred_at > began)
    noted = {
        "issue_id": row["id"],
        "episode": row["episode"],
        "closed_at": closed_at,
        "releases": list(releases.scalars()),
        "before": int(connection.execute(number).scalar_one()),
        "before_seconds": max(0.0, (closed_at - began).total_seconds()),
        "looked_to": 0,
        "since": 0,
        "releases_since": [],
    }
    connection.execute(insert(tables.refusals), noted)
    return noted


def _since(connection: Connection, issue_id: str, closed_at: datetime, looked_to: int) -> Since:
    new = (_EVENTS.issue_id == issue_id, _EVENTS.seq > looked_to)
    last = connection.execute(select(func.max(_EVENTS.seq)).where(*new)).scalar()
    if last is None:
        return Since(0, (), looked_to)
    counted = (
        select(_EVENTS.release, func.sum(_EVENTS.count))
        .where(*new, _EVENTS.occurred_at > closed_at)
        .group_by(_EVENTS.release)
        .order_by(func.min(_EVENTS.seq))
    )
    rows = connection.execute(counted).all()
    return Since(sum(int(row[1]) for row in rows), tuple(row[0] for row in rows if row[0]), last)


def _begin(connection: Connection, row: RowMapping, evidence: str, room: Room, now: datetime) -> Task | None:
    """Open the next episode, and begin its repair where there is room."""
    issue, episode = dict(row), row["episode"] + 1
    waits = room.take(issue)
    what, why = waits or ("", "")
    changes = {"episode": episode, "waiting_for": what, "waiting_reason": f"{evidence} {why}" if why else ""}
    connection.execute(update(tables.issues).where(_ISSUES.id == row["id"]).values(changes))
    said = {"episode": episode, "evidence": evidence}
    decision = {"issue_id": row["id"], "at": now, "who": "ai-ops", "verb": "evidence", "detail": said}
    connection.execute(insert(tables.issue_decisions), decision)
    forget(connection, row["id"])
    if waits:
        return None
    task = repair_of(issue, episode, now, {**BY_EVENT, "evidence": evidence}, reason=evidence)
    connection.execute(insert(tables.tasks), task_row(task))
    return task
