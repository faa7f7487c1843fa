"""Which releases were seen, where, and when for the first time: what tells that a release changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ai_ops.core.flood import ReleaseChange
from ai_ops.flow.event import Event
from ai_ops.flow.repository import Repository
from ai_ops.store import tables
from ai_ops.store.rows import NAME, clean

_CHUNK = 200


class Place(NamedTuple):
    """A release in one service and environment of a repository."""

    repo_key: str
    service: str
    environment: str
    release: str


def places_of(events: Iterable[tuple[Event, Repository]]) -> set[Place]:
    """Return where the events' releases run; an event that names none says nothing."""
    found = {(r.key, e.service, e.environment, e.release) for e, r in events if e.release}
    return {Place(key, *(clean(word, NAME) for word in words)) for key, *words in found}


async def note(connection: AsyncConnection, places: Iterable[Place], now: datetime) -> None:
    """Record those that were never seen before, as seen now."""
    wanted = sorted(places)
    c = tables.releases.c
    for start in range(0, len(wanted), _CHUNK):
        some = wanted[start : start + _CHUNK]
        place = (c.repo_key, c.service, c.environment, c.release)
        among = [column.in_(set(words)) for column, words in zip(place, zip(*some, strict=True), strict=True)]
        rows = await connection.execute(select(*place).where(*among))
        known = {Place(*row) for row in rows}
        fresh = [{**place._asdict(), "first_seen": now} for place in some if place not in known]
        if fresh:
            await connection.execute(insert(tables.releases), fresh)


async def change_at(
    connection: AsyncConnection, place: Place, now: datetime, within_seconds: float
) -> ReleaseChange | None:
    """Return the change to this release, if it happened within that time and there was one before it."""
    c = tables.releases.c
    same = (c.repo_key == place.repo_key, c.service == place.service, c.environment == place.environment)
    since = now - timedelta(seconds=within_seconds)
    query = select(c.seq, c.first_seen).where(*same, c.release == place.release, c.first_seen >= since)
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    earlier = select(c.release).where(*same, c.seq < row.seq).order_by(c.seq.desc()).limit(1)
    before = (await connection.execute(earlier)).scalar()
    return ReleaseChange(before, place.release, row.first_seen) if before else None
