"""What people decide about issues: states, and which fingerprints belong together. All of it is on record.

A merge moves fingerprints, not events: the events of the past stay where they were, so that a split can give
an issue back what it had. What the present grouping derived from a fingerprint moves with it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, or_, select, text, update

from ai_ops.core.failures import failed
from ai_ops.core.issue_verbs import check_merge, check_split, state_after
from ai_ops.flow.issue import IssueDecision, IssueState
from ai_ops.flow.task import Task, TaskState
from ai_ops.store import tables
from ai_ops.store.closing import settle
from ai_ops.store.lane import Transaction
from ai_ops.store.refusals import forget, is_turned_down
from ai_ops.store.rows import NAME, clean, task_from
from ai_ops.store.samples import give_each_its_own, set_aside
from ai_ops.store.storms import hand_on

Row = Mapping[str, Any]
"""The columns of an issue."""

_ISSUES = tables.issues.c
_KNOWN = tables.issue_fingerprints.c
_BROUGHT = select(func.coalesce(func.sum(_ISSUES.count), 0), func.coalesce(func.sum(_ISSUES.only_counted), 0))


async def change_state(connection: Transaction, issue_id: str, verb: str, who: str, now: datetime) -> Row:
    """Ignore, resolve (as of now) or reopen an issue; return its row.

    Who reopens one whose pull request was closed unmerged wants another: its next event begins it.
    """
    row = await existing(connection, issue_id)
    state = state_after(verb, IssueState(row["state"]))
    anew = state is IssueState.OPEN and await connection.run(is_turned_down, row)
    if state == row["state"] and not anew:
        return row
    resolved_at = now if state is IssueState.RESOLVED else None
    changes: dict[str, Any] = {"state": state, "resolved_at": resolved_at}
    if state is not IssueState.OPEN:
        changes |= {"waiting_for": "", "waiting_reason": ""}
    detail: dict[str, Any] = {"from": row["state"]}
    if anew:
        changes["episode"] = detail["episode"] = row["episode"] + 1
        await connection.run(forget, issue_id)
    await _change(connection, issue_id, **changes)
    await _record(connection, issue_id, verb, who, now, detail)
    await connection.run(settle, issue_id, row["episode"], now)
    return await existing(connection, issue_id)


async def merge(
    connection: Transaction, issue_id: str, into: str, who: str, now: datetime
) -> tuple[Row, list[Task], list[Task]]:
    """Merge an issue into another; return the row of that one, the tasks taken back, and the new ones."""
    row, target = await existing(connection, issue_id), await existing(connection, into)
    check_merge(
        [IssueState(row["state"]), IssueState(target["state"])],
        [row["repo_key"], target["repo_key"]],
        same=row["id"] == target["id"],
    )
    await set_aside(connection, target)
    moved = await fingerprints(connection, row)
    await connection.execute(
        update(tables.issue_fingerprints).where(_KNOWN.issue_id == row["id"]).values(issue_id=target["id"])
    )
    await _change(
        connection,
        target["id"],
        count=target["count"] + row["count"],
        only_counted=target["only_counted"] + row["only_counted"],
        first_seen=min(target["first_seen"], row["first_seen"]),
        last_seen=max(target["last_seen"], row["last_seen"]),
    )
    # What was merged into it before belongs to the target too now; each keeps the share that it brought.
    brought = (await connection.execute(_BROUGHT.where(_ISSUES.merged_into == row["id"]))).one()
    await connection.execute(
        update(tables.issues).where(_ISSUES.merged_into == row["id"]).values(merged_into=target["id"])
    )
    await _change(
        connection,
        row["id"],
        count=row["count"] - int(brought[0]),
        only_counted=row["only_counted"] - int(brought[1]),
        state=IssueState.MERGED,
        merged_into=target["id"],
        waiting_for="",
        waiting_reason="",
    )
    withdrawn = await _take_back_pending(connection, row["id"], target["id"], now)
    # What a split gives back: resolved_at stays in the row, and its episode moves only there.
    handed = {"into": target["id"], "from": row["state"], "taken_back": [task.id for task in withdrawn]}
    await _record(connection, row["id"], "merge", who, now, handed)
    await _record(
        connection, target["id"], "merge", who, now, {"merged": row["id"], "fingerprints": moved[:200]}
    )
    begun = [await hand_on(connection, task, target["id"], now) for task in withdrawn]
    return await existing(connection, target["id"]), withdrawn, [task for task in begun if task]


async def split(connection: Transaction, issue_id: str, fingerprint: str, who: str, now: datetime) -> Row:
    """Take a fingerprint out of an issue; return the row of the issue that it has from now on."""
    row = await existing(connection, issue_id)
    check_split(IssueState(row["state"]), fingerprint, await fingerprints(connection, row))
    query = select(tables.issues).where(
        _ISSUES.fingerprint == fingerprint, _ISSUES.repo_key == row["repo_key"]
    )
    before = (await connection.execute(query)).mappings().first()
    if before is not None:
        await _give_back(connection, row, {str(name): value for name, value in before.items()})
    off = before["id"] if before is not None else await _found_anew(connection, row, fingerprint, now)
    belongs = or_(_KNOWN.fingerprint == fingerprint, _KNOWN.through == fingerprint)
    here = (_KNOWN.issue_id == row["id"], _KNOWN.repo_key == row["repo_key"])
    await connection.execute(update(tables.issue_fingerprints).where(belongs, *here).values(issue_id=off))
    await give_each_its_own(connection, [row["id"], off])
    await _record(connection, row["id"], "split", who, now, {"fingerprint": fingerprint, "off": off})
    await _record(connection, off, "split", who, now, {"fingerprint": fingerprint, "from": row["id"]})
    return await existing(connection, off)


async def fingerprints(connection: Transaction, issue: Row) -> list[str]:
    """Return the fingerprints whose events come to an issue, its own first."""
    query = select(_KNOWN.fingerprint).where(_KNOWN.issue_id == issue["id"]).order_by(_KNOWN.fingerprint)
    found = list((await connection.execute(query)).scalars())
    return sorted(found, key=lambda one: one != issue["fingerprint"])


async def decisions(connection: Transaction, issue_id: str) -> list[IssueDecision]:
    """Return what was decided about an issue, oldest first."""
    c = tables.issue_decisions.c
    query = select(c.at, c.who, c.verb, c.detail).where(c.issue_id == issue_id).order_by(c.seq)
    return [IssueDecision(*row) for row in await connection.execute(query)]


async def existing(connection: Transaction, issue_id: str) -> Row:
    """Return the row of an issue.

    Raises:
        PermanentError: ``issue_not_found``.
    """
    query = select(tables.issues).where(_ISSUES.id == issue_id)
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise failed("issue_not_found")
    return {str(name): value for name, value in row.items()}


async def _give_back(connection: Transaction, row: Row, before: Row) -> None:
    """Make a merged issue what it was, and take what it had out of the one it was merged into.

    A repair that the merge took back is gone; the next episode has room for another one.
    """
    await _change(
        connection,
        row["id"],
        count=row["count"] - before["count"],
        only_counted=row["only_counted"] - before["only_counted"],
    )
    handed = await _handed_over(connection, before["id"])
    c = tables.tasks.c
    gone = select(func.count()).where(
        c.id.in_(handed.get("taken_back", [])),
        c.episode == before["episode"],
        c.state == TaskState.CANCELLED,
    )
    await _change(
        connection,
        before["id"],
        state=handed.get("from", IssueState.OPEN),
        merged_into=None,
        episode=before["episode"] + (await connection.execute(gone)).scalar_one(),
    )


async def _handed_over(connection: Transaction, issue_id: str) -> dict[str, Any]:
    """Return what is on record of the newest merge of an issue into another."""
    made = [decision.detail for decision in await decisions(connection, issue_id)]
    return next((detail for detail in reversed(made) if "into" in detail), {})


async def _found_anew(connection: Transaction, row: Row, fingerprint: str, now: datetime) -> str:
    """Make an issue for a fingerprint that never had one; it has counted nothing yet."""
    issue_id = str(uuid.uuid4())
    fresh = {
        "id": issue_id,
        "fingerprint": fingerprint,
        "episode": 1,
        "state": IssueState.OPEN,
        "resolved_at": None,
        "count": 0,
        "only_counted": 0,
        "payloads": 0,
        "created_at": now,
        "waiting_for": "",
        "waiting_reason": "",
    }
    copied = {name: value for name, value in row.items() if name != "seq"}
    await connection.execute(insert(tables.issues), copied | fresh)
    return issue_id


async def _take_back_pending(connection: Transaction, issue_id: str, into: str, now: datetime) -> list[Task]:
    c = tables.tasks.c
    waiting = (c.issue_id == issue_id, text("kind = 'repair'"), c.state == TaskState.PENDING)
    rows = (await connection.execute(select(tables.tasks).where(*waiting))).mappings().all()
    changes: dict[str, Any] = {
        "state": TaskState.CANCELLED,
        "outcome_reason": f"its issue was merged into {into}",
        "updated_at": now,
    }
    await connection.execute(update(tables.tasks).where(*waiting).values(changes))
    return [replace(task_from(row), **changes) for row in rows]


async def _change(connection: Transaction, issue_id: str, **values: Any) -> None:
    await connection.execute(update(tables.issues).where(_ISSUES.id == issue_id).values(values))


async def _record(
    connection: Transaction, issue_id: str, verb: str, who: str, now: datetime, detail: dict[str, Any]
) -> None:
    row = {"issue_id": issue_id, "at": now, "who": clean(who, NAME), "verb": verb, "detail": detail}
    await connection.execute(insert(tables.issue_decisions), row)
