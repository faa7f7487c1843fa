"""The bug library: how a case is kept, found again, and searched by what it shares with an error.

A search asks the database for the newest cases under each thing that they may share, by an index and never
for more than fifty; what they are worth is decided in memory, by ``core.similarity``. So it costs the same in
a library of ten and of a million.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, insert, select, update

from ai_ops.core.bug_cases import owner_of
from ai_ops.core.ports import BugCaseFilter, Page
from ai_ops.core.similarity import kind_of, place_of
from ai_ops.flow.bug_case import BugCase, BugCaseOutcome, KnownBug, Likeness, Reach
from ai_ops.store import tables
from ai_ops.store.database import Database
from ai_ops.store.paging import page
from ai_ops.store.rows import EXCERPT, clean, error_from, error_json, proof_from, proof_json

MOST_ALIKE = 50
"""How many cases are looked at for each thing that they may share with an error."""

_C = tables.bug_cases.c
_KNOWN = tuple(_C[field.name] for field in fields(KnownBug))
_CAPPED = {"title": 300, "diff": EXCERPT}
_KEPT = ("id", "created_at", "recurrences", "last_recurred_at")
"""What a case keeps when it is written again."""


class BugCaseRepository:
    """Implements ``BugCases``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, case: BugCase) -> BugCase:
        """Keep a case, or renew the one of the same issue and episode; return what is kept."""
        async with self._database.write() as connection:
            return await connection.run(keep, case)

    async def find(self, case_id: str) -> BugCase | None:
        """Return a case."""
        return next(iter(await self.find_all([case_id])), None)

    async def find_all(self, ids: Sequence[str]) -> Sequence[BugCase]:
        """Return these cases in this order; ids that are not there are left out."""
        if not ids:
            return []
        async with self._database.read() as connection:
            rows = await connection.execute(select(tables.bug_cases).where(_C.id.in_(ids)))
            found = {row["id"]: bug_case_from(row) for row in rows.mappings()}
        return [found[one] for one in ids if one in found]

    async def list(
        self, wanted: BugCaseFilter, *, limit: int = 50, cursor: str | None = None
    ) -> Page[BugCase]:
        """Return cases, newest first.

        Raises:
            PermanentError: ``invalid_cursor``.
        """
        return await page(
            self._database, tables.bug_cases, bug_case_from, *_narrowed(wanted), limit=limit, cursor=cursor
        )

    async def alike(self, wanted: Likeness, repo_key: str, *, owner: str, reach: Reach) -> Sequence[KnownBug]:
        """Return cases that share something with an error, each once."""
        async with self._database.read() as connection:
            return await connection.run(_alike, wanted, repo_key, owner, reach)


def keep(connection: Connection, case: BugCase) -> BugCase:
    """Keep a case within the caller's transaction: one for an issue and episode, however often it is kept."""
    row = _row(case)
    same = (_C.issue_id == case.issue_id) & (_C.episode == case.episode)
    renewed = {name: value for name, value in row.items() if name not in _KEPT}
    if not connection.execute(update(tables.bug_cases).where(same).values(renewed)).rowcount:
        connection.execute(insert(tables.bug_cases), row)
    return bug_case_from(connection.execute(select(tables.bug_cases).where(same)).mappings().one())


def _alike(
    connection: Connection, wanted: Likeness, repo_key: str, owner: str, reach: Reach
) -> list[KnownBug]:
    found: dict[str, KnownBug] = {}
    for shared in _shared(wanted, repo_key, owner, reach):
        query = select(*_KNOWN).where(*shared).order_by(_C.seq.desc()).limit(MOST_ALIKE)
        for row in connection.execute(query).mappings():
            if row["id"] not in found:
                found[row["id"]] = _known_from(row)
    return list(found.values())


def _shared(
    wanted: Likeness, repo_key: str, owner: str, reach: Reach
) -> Iterator[tuple[ColumnElement[bool], ...]]:
    """Yield what a case may have in common with an error; each is the beginning of an index."""
    own, kind, words, place = _C.repo_key == repo_key, kind_of(wanted), _words(wanted), place_of(wanted)
    if wanted.fingerprint:
        yield own, _C.fingerprint == clean(wanted.fingerprint, 128)
    if place:
        yield own, _C.place == clean(place, 300)
    for whose in (own, *_others(owner, reach)):
        limits = () if whose is None else (whose,)
        yield *limits, _C.words == words
        yield *limits, _C.kind == clean(kind, 200)


def _others(owner: str, reach: Reach) -> tuple[ColumnElement[bool] | None, ...]:
    if reach is Reach.REPOSITORY:
        return ()
    return (_C.owner == owner,) if reach is Reach.OWNER else (_C.owner == owner, None)


def _narrowed(wanted: BugCaseFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.repo_key:
        yield _C.repo_key == wanted.repo_key
    if wanted.exception_type:
        yield _C.kind == wanted.exception_type
    if wanted.outcomes:
        yield _C.outcome.in_(wanted.outcomes)
    if wanted.fingerprint:  # as a range, for the index; fingerprints are of 0-9 and a-f
        yield _C.fingerprint >= wanted.fingerprint
        yield _C.fingerprint < wanted.fingerprint + "g"


def _words(alike: Likeness) -> str:
    return hashlib.sha256(alike.template.encode("utf-8", "replace")).hexdigest()[:32]


def _row(case: BugCase) -> dict[str, Any]:
    row = {field.name: getattr(case, field.name) for field in fields(BugCase)}
    cleaned = {
        name: clean(value, _CAPPED[name]) if name in _CAPPED else clean(value)
        for name, value in row.items()
        if isinstance(value, str)
    }
    return {
        **row,
        **cleaned,
        "outcome": case.outcome,
        "owner": owner_of(case.repo_key),
        "kind": clean(kind_of(case.likeness), 200),
        "place": clean(place_of(case.likeness), 300),
        "words": _words(case.likeness),
        "likeness": asdict(case.likeness),
        "error": error_json(case.error),
        "proof": proof_json(case.proof),
    }


def bug_case_from(row: RowMapping) -> BugCase:
    """Return the case of a row."""
    special = {"error", "likeness", "outcome", "proof"}
    return BugCase(
        **{field.name: row[field.name] for field in fields(BugCase) if field.name not in special},
        error=error_from(row["error"]),
        likeness=_likeness_from(row["likeness"]),
        outcome=BugCaseOutcome(row["outcome"]),
        proof=proof_from(row["proof"]),
    )


def _known_from(row: RowMapping) -> KnownBug:
    special = {"likeness", "outcome"}
    return KnownBug(
        **{field.name: row[field.name] for field in fields(KnownBug) if field.name not in special},
        likeness=_likeness_from(row["likeness"]),
        outcome=BugCaseOutcome(row["outcome"]),
    )


def _likeness_from(stored: Mapping[str, Any]) -> Likeness:
    lists = {name: tuple(stored[name]) for name in ("types", "calls")}
    return Likeness(stored["fingerprint"], template=stored["template"], **lists)
