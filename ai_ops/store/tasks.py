"""Tasks: the truth about what is to be done and how it went."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, select, text, update

from ai_ops.core.admission import Admission, Gate, QueueRules, capped
from ai_ops.core.failures import failed
from ai_ops.core.ports import Clock, Created, NewTask, Page, TaskFilter
from ai_ops.core.verbs import Change
from ai_ops.flow.event import Event
from ai_ops.flow.notification import Notification
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import TRANSITIONS, UNFINISHED, Priority, Task, TaskKind, TaskState
from ai_ops.store import tables
from ai_ops.store.database import Database
from ai_ops.store.gate import admitted
from ai_ops.store.intake_batch import IntakeBatch
from ai_ops.store.lane import Transaction
from ai_ops.store.open_issue import OpenIssue
from ai_ops.store.outbox import keep
from ai_ops.store.paging import page
from ai_ops.store.rows import task_from, task_row, task_value

_UNFINISHED = (TaskState.PENDING, TaskState.PROCESSING, TaskState.RETRYING, TaskState.WAITING_UNBAN)
_FIXED = frozenset({"id", "kind", "state", "created_at", "updated_at"})
_CHANGEABLE = frozenset(field.name for field in fields(Task)) - _FIXED


class TaskRepository:
    """Implements ``Tasks``; ``rules`` cap the prompt tasks that wait, and by default nothing does."""

    def __init__(self, database: Database, clock: Clock, rules: QueueRules | None = None) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules or QueueRules()

    async def create(self, new: NewTask) -> Created:
        """Create a task, or return the one that already answers the same wish, and why.

        A repair needs ``event`` (with its fingerprint) and ``repository``; its triage is recorded and
        does not refuse, because a person asked. A follow-up whose payload names a
        ``pull_request_id`` takes over that pull request's issue, fingerprint and episode. While another
        one of it is unfinished, that is returned, and the key stays free.

        Raises:
            PermanentError: ``invalid_task``, ``pull_request_not_found``.
            TemporaryError: ``queue_full``; that it was refused is kept.
        """
        now = self._clock.now()
        async with self._database.write() as connection:
            if new.idempotency_key:
                known = await _by_key(connection, new.idempotency_key)
                if known:
                    return Created(known, False, "This Idempotency-Key was used before.")
            if self._rules.high and capped(new.kind, new.priority):
                admission = await connection.run(admitted, self._rules, now)
            else:
                admission = Admission(Gate())
            if admission.refusal is None:
                return replace(await _created(connection, new, now), busy=admission.busy)
        raise admission.refusal  # only now: the commit before it keeps the gate

    async def find(self, task_id: str) -> Task | None:
        """Return a task."""
        async with self._database.read() as connection:
            return await _find(connection, task_id)

    async def list(self, wanted: TaskFilter, *, limit: int = 50, cursor: str | None = None) -> Page[Task]:
        """Return tasks, newest first."""
        c = tables.tasks.c
        narrowed: list[ColumnElement[bool]] = [
            column.in_(values)
            for column, values in (
                (c.state, wanted.states),
                (c.kind, wanted.kinds),
                (c.priority, wanted.priorities),
            )
            if values
        ]
        if wanted.issue_id is not None:
            narrowed.append(c.issue_id == wanted.issue_id)
        if wanted.pull_request_id is not None:
            narrowed.append(c.pull_request_id == wanted.pull_request_id)
        return await page(self._database, tables.tasks, task_from, *narrowed, limit=limit, cursor=cursor)

    async def move(
        self,
        task_id: str,
        to: TaskState,
        *,
        mail: Notification | None = None,
        only_run: int | None = None,
        **changes: Any,
    ) -> Task:
        """Move a task along the table of transitions and change other fields in the same commit.

        ``mail`` is put into the outbox by that commit too: it is sent if the task moved, and only then.
        ``only_run`` is the number of the run that speaks: one that a later run follows has no say.

        Raises:
            PermanentError: ``illegal_transition`` or ``task_not_found``.
        """
        _check_names(changes)
        async with self._database.write() as connection:
            task = await _existing(connection, task_id)
            _check_run(task, only_run)
            _check_move(task, to)
            if mail is not None:
                await keep(connection, mail)
            return await _change(connection, task, {**changes, "state": to, "updated_at": self._clock.now()})

    async def act(self, task_id: str, rule: Callable[[Task], Change]) -> tuple[Task, Change]:
        """Do to a task what ``rule`` decides, in the transaction that it decides in: verbs do not race.

        Returns the task as it is then, and the decision.

        Raises:
            PermanentError: ``task_not_found``, ``illegal_transition``, or as ``rule``.
        """
        async with self._database.write() as connection:
            task = await _existing(connection, task_id)
            change = rule(task)
            if change.to is None:
                return task, change
            _check_names(change.changes)
            _check_move(task, change.to)
            changes = {**change.changes, "state": change.to, "updated_at": self._clock.now()}
            return await _change(connection, task, changes), change

    async def update(self, task_id: str, **changes: Any) -> Task:
        """Change fields other than the state.

        Raises:
            PermanentError: ``task_not_found``.
        """
        _check_names(changes)
        async with self._database.write() as connection:
            task = await _existing(connection, task_id)
            return await _change(connection, task, {**changes, "updated_at": self._clock.now()})

    async def unfinished(self) -> Sequence[Task]:
        """Return the tasks that a worker has or should have, oldest first."""
        async with self._database.read() as connection:
            return await connection.run(_unfinished)

    async def counts(self) -> Mapping[TaskState, int]:
        """Return how many tasks stand in each state; a state without any is left out."""
        c = tables.tasks.c
        async with self._database.read() as connection:
            rows = await connection.execute(select(c.state, func.count()).group_by(c.state))
            return {TaskState(state): number for state, number in rows}


def _unfinished(connection: Connection) -> list[Task]:
    """In the transaction's own thread: there may be thousands, and the loop goes on meanwhile."""
    c = tables.tasks.c
    query = select(tables.tasks).where(c.state.in_(_UNFINISHED)).order_by(c.seq)
    return [task_from(row) for row in connection.execute(query).mappings()]


async def _created(connection: Transaction, new: NewTask, now: datetime) -> Created:
    repair = TaskKind(new.kind) is TaskKind.REPAIR
    created = await (_repair if repair else _other)(connection, new, now)
    if new.idempotency_key and (repair or created.created):
        row = {"key": _digest(new.idempotency_key), "task_id": created.task.id, "created_at": now}
        await connection.execute(insert(tables.idempotency_keys), row)
    return created


async def _repair(connection: Transaction, new: NewTask, now: datetime) -> Created:
    if new.event is None or new.repository is None:
        raise failed("invalid_task")
    task, issue, episode, reason = await connection.run(_requested, new.event, new.repository, new, now)
    if task is not None:
        return Created(task, True)
    c = tables.tasks.c
    query = select(tables.tasks).where(
        text("kind = 'repair'"),
        c.fingerprint == issue.row["fingerprint"],
        c.repo_key == issue.row["repo_key"],
        c.episode == episode,
    )
    row = (await connection.execute(query)).mappings().one()
    return Created(task_from(row), False, reason)


def _requested(
    connection: Connection, event: Event, repository: Repository, new: NewTask, now: datetime
) -> tuple[Task | None, OpenIssue, int, str]:
    batch = IntakeBatch.load(connection, [(event, repository)], now)
    answer = batch.request(event, repository, new)
    batch.flush()
    return answer


async def _other(connection: Transaction, new: NewTask, now: datetime) -> Created:
    repository = new.repository
    task = Task(
        id=str(uuid.uuid4()),
        kind=TaskKind(new.kind),
        state=TaskState.PENDING,
        priority=Priority(new.priority),
        created_at=now,
        updated_at=now,
        repo_key=repository.key if repository else "",
        repo_url=repository.url if repository else "",
        code_host=repository.code_host if repository else "",
        payload=new.payload,
    )
    about = new.payload.get("pull_request_id")
    if task.kind is TaskKind.FOLLOW_UP and about:
        task = replace(task, **await _of_pull_request(connection, str(about)))
        c = tables.tasks.c
        same = (c.kind == TaskKind.FOLLOW_UP, c.pull_request_id == about, c.state.in_(UNFINISHED))
        row = (await connection.execute(select(tables.tasks).where(*same).limit(1))).mappings().first()
        if row is not None:
            return Created(task_from(row), False, "Another follow-up of this pull request is under way.")
    await connection.execute(insert(tables.tasks), task_row(task))
    return Created(task, True)


async def _of_pull_request(connection: Transaction, pull_request_id: str) -> dict[str, Any]:
    c = tables.pull_requests.c
    query = select(c.issue_id, c.fingerprint, c.episode, c.url).where(c.id == pull_request_id)
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise failed("pull_request_not_found")
    same = {name: row[name] for name in ("issue_id", "fingerprint", "episode")}
    return {**same, "pull_request_id": pull_request_id, "pr_url": row["url"]}


async def _by_key(connection: Transaction, key: str) -> Task | None:
    keys = tables.idempotency_keys.c
    query = select(tables.tasks).join(tables.idempotency_keys, keys.task_id == tables.tasks.c.id)
    row = (await connection.execute(query.where(keys.key == _digest(key)))).mappings().first()
    return task_from(row) if row else None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


async def _find(connection: Transaction, task_id: str) -> Task | None:
    query = select(tables.tasks).where(tables.tasks.c.id == task_id)
    row = (await connection.execute(query)).mappings().first()
    return task_from(row) if row else None


async def _existing(connection: Transaction, task_id: str) -> Task:
    task = await _find(connection, task_id)
    if task is None:
        raise failed("task_not_found")
    return task


async def _change(connection: Transaction, task: Task, changes: Mapping[str, Any]) -> Task:
    values = {name: task_value(name, value) for name, value in changes.items()}
    await connection.execute(update(tables.tasks).where(tables.tasks.c.id == task.id).values(values))
    return replace(task, **changes)


def _check_run(task: Task, only_run: int | None) -> None:
    if only_run is not None and task.run_number != only_run:
        raise failed(
            "illegal_transition",
            f"Run {only_run} has no say any more: the task is in run {task.run_number}.",
            next_step=f"Look at run {task.run_number}.",
        )


def _check_move(task: Task, to: TaskState) -> None:
    if to not in TRANSITIONS[task.state]:
        legal = ", ".join(sorted(TRANSITIONS[task.state])) or "nothing"
        raise failed(
            "illegal_transition",
            f"A {task.state.value} task cannot become {to.value}.",
            next_step=f"From {task.state.value} may follow: {legal}.",
        )


def _check_names(changes: Mapping[str, Any]) -> None:
    if unknown := set(changes) - _CHANGEABLE:
        raise TypeError(f"a task's {', '.join(sorted(unknown))} cannot be changed like this")
