"""Which releases were seen, where, and when first and last: what tells that a release changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, delete, exists, insert, select, update

from ai_ops.core.flood import ReleaseChange
from ai_ops.flow.event import Event
from ai_ops.flow.repository import Repository
from ai_ops.store import tables
from ai_ops.store.rows import NAME, clean

NOTED_AGAIN = timedelta(hours=1)
"""How old ``last_seen`` may be of a release that is seen all the time."""

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


def note(connection: Connection, places: Iterable[Place], now: datetime) -> None:
    """Record these as seen now."""
    wanted = sorted(places)
    c = tables.releases.c
    for start in range(0, len(wanted), _CHUNK):
        some = wanted[start : start + _CHUNK]
        place = (c.repo_key, c.service, c.environment, c.release)
        among = [column.in_(set(words)) for column, words in zip(place, zip(*some, strict=True), strict=True)]
        rows = (connection.execute(select(c.seq, *place).where(*among))).all()
        known = {Place(*words): seq for seq, *words in rows}
        seen = [known[place] for place in some if place in known]
        if seen:
            again = update(tables.releases).where(c.seq.in_(seen))
            connection.execute(again.values(last_seen=now))
        fresh = [
            {**place._asdict(), "first_seen": now, "last_seen": now} for place in some if place not in known
        ]
        if fresh:
            connection.execute(insert(tables.releases), fresh)


def forget(connection: Connection, before: datetime, limit: int) -> int:
    """Remove at most ``limit`` that were not seen since; return how many were.

    The newest of each service and environment stays, or the next release there would be no change: where
    nothing went wrong for months, that is the one to be told.
    """
    c, newer = tables.releases.c, tables.releases.alias("newer")
    replaced = exists().where(
        newer.c.repo_key == c.repo_key,
        newer.c.service == c.service,
        newer.c.environment == c.environment,
        newer.c.seq > c.seq,
    )
    query = select(c.seq).where(c.last_seen < before - NOTED_AGAIN, replaced).limit(limit)
    gone = list((connection.execute(query)).scalars())
    connection.execute(delete(tables.releases).where(c.seq.in_(gone)))
    return len(gone)


def change_at(
    connection: Connection, place: Place, now: datetime, within_seconds: float
) -> ReleaseChange | None:
    """Return the change to this release, if it happened within that time and there was one before it."""
    return change_to(connection, place, since=now - timedelta(seconds=within_seconds))


def change_to(connection: Connection, place: Place, since: datetime | None = None) -> ReleaseChange | None:
    """Return the change to this release, if it was not before ``since`` and another one ran there before."""
    c = tables.releases.c
    same = (c.repo_key == place.repo_key, c.service == place.service, c.environment == place.environment)
    query = select(c.seq, c.first_seen).where(*same, c.release == place.release)
    if since is not None:
        query = query.where(c.first_seen >= since)
    row = (connection.execute(query)).first()
    if row is None:
        return None
    earlier = select(c.release).where(*same, c.seq < row.seq).order_by(c.seq.desc()).limit(1)
    before = (connection.execute(earlier)).scalar()
    return ReleaseChange(before, place.release, row.first_seen) if before else None
