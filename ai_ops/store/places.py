"""Places for pull requests: each taken in the one writing transaction, so that no limit is ever passed.

A place without a pull request belongs to a task that works, and goes when that task has ended. Nothing else
is to be remembered, so a kill at any moment leaves nothing behind that would not be found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Exists, delete, exists, func, insert, select, text, update

from ai_ops.core.identity import REVERTS, fix_branch, task_branch
from ai_ops.core.ports import Clock, Place
from ai_ops.core.publishing_limits import NO_PLACE, Published, PublishingLimits, no_room
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.flow.task import Task, TaskKind, TaskState
from ai_ops.store import tables
from ai_ops.store.database import Database
from ai_ops.store.rows import task_from

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_AT_WORK = tuple(
    state for state in TaskState if not state.final and state is not TaskState.NEEDS_HUMAN_REVIEW
)
_P, _T, _PULLS = tables.places.c, tables.tasks.c, tables.pull_requests.c


class PlaceRepository:
    """Implements ``Places``."""

    def __init__(self, database: Database, clock: Clock, limits: PublishingLimits | None = None) -> None:
        self._database = database
        self._clock = clock
        self._limits = limits or PublishingLimits()

    async def take(self, place: Place, *, beyond_limits: bool = False) -> str:
        """Take a place, or return why there is none now. The branch that has one keeps it."""
        limits = PublishingLimits() if beyond_limits else self._limits
        async with self._database.write() as connection:
            return await connection.run(_take, place, self._clock.now(), limits)

    async def release(self, repo_key: str, branch: str) -> None:
        """Give a place back, unless its pull request is there, or its task works."""
        this = (_P.repo_key == repo_key, _P.branch == branch)
        async with self._database.write() as connection:
            await connection.execute(delete(tables.places).where(*this, ~_opened(), ~_working()))

    async def left(self) -> Sequence[Place]:
        """Return the places whose task has ended without a pull request; forget those of days long past.

        A revert is the work of the fix watch, and its place bears the task of the merged change, which has
        ended: it is left when the watch has not come to an end with it for an hour.
        """
        columns = (_P.repo_key, _P.branch, _P.base, _P.task_id)
        now = self._clock.now()
        past, watched = now - 2 * _DAY, _P.branch.startswith(REVERTS) & (_P.taken_at > now - _HOUR)
        async with self._database.write() as connection:
            await connection.execute(delete(tables.places).where(_P.taken_at < past, _opened()))
            rows = await connection.execute(select(*columns).where(~_opened(), ~_working(), ~watched))
            return [Place(*row) for row in rows]

    async def release_waiting(self) -> Sequence[Task]:
        """Let tasks go on that waited for a place, as far as there is room, oldest first.

        Each is given its place with the same commit: nobody else can take it meanwhile.
        """
        async with self._database.write() as connection:
            return await connection.run(_release_waiting, self._clock.now(), self._limits)


def published(connection: Connection, repo_key: str, now: datetime) -> Published:
    """Return what is published, or has a place, for a repository and in all."""
    opened = select(func.count()).where(_PULLS.repo_key == repo_key, _PULLS.state == PullRequestState.OPEN)
    coming = select(func.count()).select_from(tables.places).where(_P.repo_key == repo_key, ~_opened())
    here = _P.repo_key == repo_key
    since_hour, since_day = _P.taken_at > now - _HOUR, _P.taken_at > now - _DAY
    counts = [
        _number(connection, query)
        for query in (
            opened,
            coming,
            _taken(here, since_hour),
            _taken(here, since_day),
            _taken(since_hour),
            _taken(since_day),
        )
    ]
    return Published(counts[0] + counts[1], *counts[2:])


def on_their_way(connection: Connection) -> dict[str, int]:
    """Return how many repairs by repository will want a place and have none yet."""
    waits = (_T.state == TaskState.NEEDS_HUMAN_REVIEW) & (_T.waiting_for == NO_PLACE)
    wants = (text("kind = 'repair'"), _T.pull_request_id.is_(None), _T.state.in_(_AT_WORK) | waits)
    query = select(_T.repo_key, func.count()).where(*wants, ~exists().where(_P.task_id == _T.id))
    return {row[0]: int(row[1]) for row in connection.execute(query.group_by(_T.repo_key))}


def _take(connection: Connection, place: Place, now: datetime, limits: PublishingLimits) -> str:
    this = (_P.repo_key == place.repo_key, _P.branch == place.branch)
    if connection.execute(select(_P.task_id).where(*this)).first() is not None:
        mine: dict[str, Any] = {"task_id": place.task_id} | ({"base": place.base} if place.base else {})
        connection.execute(update(tables.places).where(*this).values(mine))
        return ""
    if limits and (reason := no_room(published(connection, place.repo_key, now), limits)):
        return reason
    row = {name: getattr(place, name) for name in ("repo_key", "branch", "base", "task_id")}
    connection.execute(insert(tables.places), row | {"taken_at": now})
    return ""


def _release_waiting(connection: Connection, now: datetime, limits: PublishingLimits) -> list[Task]:
    waiting = (_T.state == TaskState.NEEDS_HUMAN_REVIEW, _T.waiting_for == NO_PLACE)
    rows = connection.execute(select(tables.tasks).where(*waiting).order_by(_T.seq)).mappings().all()
    begun, full = [], set()
    for task in map(task_from, rows):
        number, finished = task.run_number + 1, bool(task.payload.get("candidate_run"))
        of_prompt = task.kind is TaskKind.PROMPT
        branch = task_branch(task.id, number) if of_prompt else fix_branch(task.fingerprint, task.episode)
        place = Place(task.repo_key, branch, "", task.id)
        if task.repo_key in full:
            continue
        if _take(connection, place, now, limits):
            full.add(task.repo_key)
            continue
        changes: dict[str, Any] = {
            "state": TaskState.PENDING,
            "run_number": number,
            "action": "publish" if finished else "work",
            "payload": task.payload if finished else {**task.payload, "first_run": number},
            "waiting_for": "",
            "outcome_reason": "there is a place for its pull request now",
            "updated_at": now,
        }
        connection.execute(update(tables.tasks).where(_T.id == task.id).values(changes))
        begun.append(replace(task, **changes))
    return begun


def _opened() -> Exists:
    """Whether a place has its pull request, in whatever state."""
    return exists().where(_PULLS.branch == _P.branch, _PULLS.repo_key == _P.repo_key)


def _working() -> Exists:
    """Whether a place's task is not over."""
    return exists().where(_T.id == _P.task_id, _T.state.in_(_AT_WORK))


def _taken(*where: ColumnElement[bool]) -> Any:
    return select(func.count()).select_from(tables.places).where(*where)


def _number(connection: Connection, query: Any) -> int:
    return int(connection.execute(query).scalar_one())
