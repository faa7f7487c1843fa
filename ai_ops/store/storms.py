"""A deploy storm outlives its carrier: what waits for it goes on waiting for one task, not for one each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import and_, insert, or_, select, text, update

from ai_ops.flow.issue import IssueState
from ai_ops.flow.task import Task, TaskState
from ai_ops.store import tables
from ai_ops.store.lane import Transaction
from ai_ops.store.open_issue import BY_EVENT, STORM, repair_of
from ai_ops.store.rows import task_row


async def hand_on(connection: Transaction, carrier: Task, into: str, now: datetime) -> Task | None:
    """Let another issue's repair stand for a storm whose carrier was taken back.

    Args:
        connection: the writing transaction.
        carrier: the task that was taken back.
        into: the issue that its error belongs to from now on; it goes first, then the earliest.
        now: the time.

    Returns:
        The new task, which is stored; None when it carried no storm, or nothing waits for it.
    """
    heir = await _heir(connection, carrier, into) if carrier.payload.get("storm") else None
    if heir is None:
        return None
    episode = heir["episode"] + (heir["taken_back"] is not None)
    payload = {**BY_EVENT, "storm": carrier.payload["storm"]}
    task = repair_of(dict(heir), episode, now, payload, reason=heir["waiting_reason"])
    c, issues = tables.issues.c, tables.issues
    await connection.execute(insert(tables.tasks), task_row(task))
    await connection.execute(
        update(issues).where(c.id == heir["id"]).values(episode=episode, waiting_for="", waiting_reason="")
    )
    await connection.execute(
        update(issues).where(c.waiting_for == STORM + carrier.id).values(waiting_for=STORM + task.id)
    )
    return task


async def _heir(connection: Transaction, carrier: Task, into: str) -> Mapping[str, Any] | None:
    """Return the issue that is to carry the storm; a repair of it that a person took up again goes on."""
    c, t = tables.issues.c, tables.tasks.c
    its_repair = and_(
        text("kind = 'repair'"),
        t.fingerprint == c.fingerprint,
        t.repo_key == c.repo_key,
        t.episode == c.episode,
    )
    columns = (c.id, c.repo_key, c.repo_url, c.code_host, c.fingerprint, c.episode, c.waiting_reason)
    query = (
        select(*columns, t.id.label("taken_back"))
        .outerjoin(tables.tasks, its_repair)
        .where(
            c.waiting_for == STORM + carrier.id,
            c.state == IssueState.OPEN,
            or_(t.id.is_(None), t.state == TaskState.CANCELLED),
        )
        .order_by(c.id != into, c.created_at, c.seq)
        .limit(1)
    )
    row = (await connection.execute(query)).mappings().first()
    return {str(name): value for name, value in row.items()} if row else None
