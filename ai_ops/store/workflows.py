"""Workflows: the steps of each, and how far they are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import ColumnElement, RowMapping, func, insert, select, update

from ai_ops.core.failures import failed
from ai_ops.core.ports import Clock, Page
from ai_ops.flow.workflow import OnFailedNeed, Workflow, WorkflowState, WorkflowStep, WorkflowStepState
from ai_ops.store.database import Database
from ai_ops.store.lane import Transaction
from ai_ops.store.paging import page
from ai_ops.store.rows import clean
from ai_ops.store.tables import workflows

MOST_RUNNING: Final = 100
"""How many may run at a time."""
_SAME = ("id", "name", "reason", "cancel_requested", "created_at", "updated_at", "ended_at", "version")


class WorkflowRepository:
    """Implements ``Workflows``."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(self, workflow: Workflow, key: str | None) -> tuple[Workflow, bool]:
        """Keep a new one, or return the one that was made under ``key``, and whether it is new.

        Raises:
            PermanentError: ``too_many_workflows``.
        """
        c, digest = workflows.c, hashlib.sha256(key.encode("utf-8", "replace")).hexdigest() if key else None
        async with self._database.write() as connection:
            if digest and (known := await _first(connection, c.key == digest)):
                return known, False
            await _room_for_one(connection)
            await connection.execute(insert(workflows), _row(workflow, digest))
        return workflow, True

    async def find(self, workflow_id: str) -> Workflow | None:
        """Return a workflow."""
        async with self._database.read() as connection:
            return await _first(connection, workflows.c.id == workflow_id)

    async def list(
        self, *, states: Sequence[str] = (), limit: int = 50, cursor: str | None = None
    ) -> Page[Workflow]:
        """Return workflows, newest first."""
        where = [workflows.c.state.in_(states)] if states else []
        return await page(self._database, workflows, _workflow_from, *where, limit=limit, cursor=cursor)

    async def running(self) -> Sequence[Workflow]:
        """Return those that are not over, oldest first."""
        c = workflows.c
        query = select(workflows).where(c.state == WorkflowState.RUNNING).order_by(c.seq)
        async with self._database.read() as connection:
            return [_workflow_from(row) for row in (await connection.execute(query)).mappings()]

    async def save(self, workflow: Workflow) -> Workflow | None:
        """Keep a change of one that runs, and return it; None when somebody else changed it meanwhile."""
        async with self._database.write() as connection:
            return await self._saved(connection, workflow, workflows.c.state == WorkflowState.RUNNING)

    async def reopen(self, workflow: Workflow) -> Workflow | None:
        """Keep one that is to go on after its end, and return it; None when it was changed meanwhile.

        Raises:
            PermanentError: ``too_many_workflows``.
        """
        async with self._database.write() as connection:
            await _room_for_one(connection, beside=workflow.id)
            return await self._saved(connection, workflow)

    async def ask_cancel(self, workflow_id: str) -> Workflow:
        """Put on record that a person wants it cancelled; asked again, nothing changes.

        Raises:
            PermanentError: ``workflow_not_found``, ``illegal_transition`` when it has ended otherwise.
        """
        c = workflows.c
        async with self._database.write() as connection:
            known = await _first(connection, c.id == workflow_id)
            if known is None:
                raise failed("workflow_not_found")
            if known.cancel_requested or known.state is WorkflowState.CANCELLED:
                return known
            if known.state is not WorkflowState.RUNNING:
                words = f"a workflow that is {known.state} cannot be cancelled"
                raise failed("illegal_transition", words)
            asked = replace(
                known, cancel_requested=True, version=known.version + 1, updated_at=self._clock.now()
            )
            values = _changeable(asked)
            await connection.execute(update(workflows).where(c.id == workflow_id).values(values))
        return asked

    async def _saved(
        self, connection: Transaction, workflow: Workflow, *also: ColumnElement[bool]
    ) -> Workflow | None:
        c = workflows.c
        same = (c.id == workflow.id, c.version == workflow.version, *also)
        changed = replace(workflow, version=workflow.version + 1, updated_at=self._clock.now())
        done = await connection.execute(update(workflows).where(*same).values(_changeable(changed)))
        return changed if done.rowcount else None


async def _room_for_one(connection: Transaction, beside: str = "") -> None:
    c = workflows.c
    count = select(func.count()).where(c.state == WorkflowState.RUNNING, c.id != beside)
    if (await connection.execute(count)).scalar_one() >= MOST_RUNNING:
        raise failed("too_many_workflows", f"{MOST_RUNNING} workflows run already")


async def _first(connection: Transaction, where: ColumnElement[bool]) -> Workflow | None:
    row = (await connection.execute(select(workflows).where(where))).mappings().first()
    return _workflow_from(row) if row else None


def _row(workflow: Workflow, key: str | None) -> dict[str, Any]:
    steps = [
        {
            "id": step.id,
            "task": dict(step.task),
            "needs": list(step.needs),
            "on_failed_need": step.on_failed_need,
            "answers": list(step.answers),
        }
        for step in workflow.steps
    ]
    fixed = {"id": workflow.id, "name": workflow.name, "created_at": workflow.created_at, "key": key}
    return {**fixed, "steps": steps, **_changeable(workflow)}


def _changeable(workflow: Workflow) -> dict[str, Any]:
    return {
        "state": workflow.state,
        "reason": clean(workflow.reason, 2000),
        "cancel_requested": workflow.cancel_requested,
        "version": workflow.version,
        "updated_at": workflow.updated_at,
        "ended_at": workflow.ended_at,
        "progress": [[step.state, step.task_id, clean(step.reason, 1000)] for step in workflow.steps],
    }


def _workflow_from(row: RowMapping) -> Workflow:
    steps = tuple(map(_step_from, row["steps"], row["progress"]))
    return Workflow(**{name: row[name] for name in _SAME}, steps=steps, state=WorkflowState(row["state"]))


def _step_from(step: Mapping[str, Any], progress: Sequence[Any]) -> WorkflowStep:
    state, task_id, reason = progress
    return WorkflowStep(
        step["id"],
        step["task"],
        tuple(step["needs"]),
        OnFailedNeed(step["on_failed_need"]),
        tuple(step["answers"]),
        WorkflowStepState(state),
        task_id,
        reason,
    )
