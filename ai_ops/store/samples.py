"""Which sample an issue has after a merge and a split: one of the errors that are its own.

While errors are merged, the sample is the newest event of them all. The newest of an issue's own is set aside
at the merge, because stored events go by age, and only the first ones of an issue keep their payload.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, or_, select, update

from ai_ops.store import tables
from ai_ops.store.intake_batch import KEPT_PAYLOADS
from ai_ops.store.lane import Transaction

Sample = Mapping[str, Any]
"""An event as JSON."""


async def set_aside(connection: Transaction, issue: Mapping[str, Any]) -> None:
    """Keep the sample of an issue that others are about to be merged into, if it is of its own errors."""
    known, kept = tables.issue_fingerprints.c, tables.own_samples
    own = select(known.fingerprint).where(
        known.issue_id == issue["id"],
        or_(known.fingerprint == issue["fingerprint"], known.through == issue["fingerprint"]),
    )
    if _fingerprint(issue["sample"]) in (await connection.execute(own)).scalars().all():
        await connection.execute(delete(kept).where(kept.c.issue_id == issue["id"]))
        await connection.execute(insert(kept), {"issue_id": issue["id"], "sample": issue["sample"]})


async def give_each_its_own(connection: Transaction, issue_ids: Sequence[str]) -> None:
    """Give each of these issues, which were one until now, the newest sample of its own errors.

    An issue of which nothing is left keeps the sample that it has.
    """
    known = tables.issue_fingerprints.c
    belongs = select(known.fingerprint, known.issue_id).where(known.issue_id.in_(issue_ids))
    issue_of = {row.fingerprint: row.issue_id for row in await connection.execute(belongs)}
    newest: dict[str, Sample] = {}
    for sample in await _kept(connection, issue_ids):
        issue_id = issue_of.get(_fingerprint(sample))
        if issue_id and (issue_id not in newest or _at(sample) > _at(newest[issue_id])):
            newest[issue_id] = sample
    for issue_id, sample in newest.items():
        await connection.execute(
            update(tables.issues).where(tables.issues.c.id == issue_id).values(sample=sample)
        )


async def _kept(connection: Transaction, issue_ids: Sequence[str]) -> list[Sample]:
    """Return all samples and payloads that there are of some issues."""
    issues, own, events = tables.issues.c, tables.own_samples.c, tables.events.c
    queries = [
        select(issues.sample).where(issues.id.in_(issue_ids)),
        select(own.sample).where(own.issue_id.in_(issue_ids)),
    ]
    for issue_id in issue_ids:  # the first events are the ones with a payload, of perhaps a million
        of_it = select(events.payload).where(events.issue_id == issue_id)
        queries.append(of_it.order_by(events.seq).limit(KEPT_PAYLOADS))
    found = [sample for query in queries for sample in (await connection.execute(query)).scalars()]
    return [sample for sample in found if sample is not None]


def _fingerprint(sample: Sample) -> str:
    return str(sample["error"]["fingerprint"])


def _at(sample: Sample) -> datetime:
    return datetime.fromisoformat(sample["occurred_at"])
