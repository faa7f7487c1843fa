"""Opens the next episode of an issue whose merged fix failed, by the same rules as intake."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, insert, select

from ai_ops.core.flood import IntakeRules
from ai_ops.flow.event import Event
from ai_ops.flow.fix_watch import FixWatch
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import Task
from ai_ops.store import tables
from ai_ops.store.decisions import Row
from ai_ops.store.intake_batch import IntakeBatch
from ai_ops.store.rows import event_from


def reopen(
    connection: Connection, row: Row, watch: FixWatch, now: datetime, rules: IntakeRules, who: str
) -> list[Task] | None:
    """Open the next episode of the issue in a row; return its repair, if it may begin at once.

    None, and nothing is changed, while the present repair is still being worked on.
    """
    event = _event(connection, row, watch)
    repository = Repository(row["repo_key"], row["repo_url"], row["code_host"])
    batch = IntakeBatch.load(connection, [(event, repository)], now, rules)
    issue = batch.reopen(event, repository)
    if issue is None:
        return None
    batch.settle()
    batch.flush()
    detail = {
        "from": row["state"],
        "episode": issue.standing.episode,
        "pull_request": watch.pull_request_id,
        "release": watch.recurred_release,
    }
    decided = {"issue_id": row["id"], "at": now, "who": who, "verb": "reopen", "detail": detail}
    connection.execute(insert(tables.issue_decisions), decided)
    return list(batch.tasks)


def _event(connection: Connection, row: Row, watch: FixWatch) -> Event:
    """Return the newest event of the build in which the error came back; where it is not kept, of any.

    It may have come by a fingerprint that has left the issue meanwhile.
    """
    c = tables.events.c
    query = select(c.payload).where(
        c.issue_id == row["id"], c.release == watch.recurred_release, c.payload.is_not(None)
    )
    kept = connection.execute(query.order_by(c.seq.desc()).limit(1)).scalar()
    event = event_from(kept or row["sample"])
    error = replace(event.error, fingerprint=row["fingerprint"], earlier_fingerprints=())
    return replace(event, error=error)
