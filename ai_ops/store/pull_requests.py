"""Our records of pull requests."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, insert, select, text, update

from ai_ops.core.failures import failed
from ai_ops.core.ports import Clock, Page
from ai_ops.flow.pull_request import PullRequest, PullRequestState
from ai_ops.store import tables
from ai_ops.store.closing import settle
from ai_ops.store.database import Database
from ai_ops.store.lane import Transaction
from ai_ops.store.paging import page
from ai_ops.store.rows import pull_request_from, pull_request_row, pull_request_value

_MAY_OPEN_AGAIN = timedelta(days=30)
_FIXED = frozenset({"id", "repo_key", "branch", "created_at", "updated_at"})
_CHANGEABLE = frozenset(field.name for field in fields(PullRequest)) - _FIXED


class PullRequestRepository:
    """Implements ``PullRequests``."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def record(self, pull_request: PullRequest) -> PullRequest:
        """Insert, or return the record with the same (repo_key, branch)."""
        c = tables.pull_requests.c
        same = (c.branch == pull_request.branch) & (c.repo_key == pull_request.repo_key)
        async with self._database.write() as connection:
            known = (await connection.execute(select(tables.pull_requests).where(same))).mappings().first()
            if known is not None:
                return pull_request_from(known)
            await connection.execute(insert(tables.pull_requests), pull_request_row(pull_request))
            if pull_request.state is not PullRequestState.OPEN:
                await self._settle(connection, pull_request)
        return pull_request

    async def find(self, pull_request_id: str) -> PullRequest | None:
        """Return a pull request."""
        return await self._first(tables.pull_requests.c.id == pull_request_id)

    async def find_by_branch(self, repo_key: str, branch: str) -> PullRequest | None:
        """Return the pull request of a branch."""
        c = tables.pull_requests.c
        return await self._first((c.branch == branch) & (c.repo_key == repo_key))

    async def find_by_number(self, repo_key: str, number: int) -> PullRequest | None:
        """Return the pull request that the host gave this number."""
        c = tables.pull_requests.c
        return await self._first((c.number == number) & (c.repo_key == repo_key))

    async def _first(self, where: ColumnElement[bool]) -> PullRequest | None:
        async with self._database.read() as connection:
            row = (await connection.execute(select(tables.pull_requests).where(where))).mappings().first()
        return pull_request_from(row) if row else None

    async def list(
        self, *, states: Collection[PullRequestState] = (), limit: int = 50, cursor: str | None = None
    ) -> Page[PullRequest]:
        """Return pull requests, newest first; no states: of any."""
        table = tables.pull_requests
        where = [table.c.state.in_(states)] if states else []
        return await page(self._database, table, pull_request_from, *where, limit=limit, cursor=cursor)

    async def states(self, ids: Collection[str]) -> Mapping[str, PullRequestState]:
        """Return what became of these, as far as we know; ids that are not there are left out."""
        if not ids:
            return {}
        c = tables.pull_requests.c
        async with self._database.read() as connection:
            rows = await connection.execute(select(c.id, c.state).where(c.id.in_(ids)))
            return {row.id: PullRequestState(row.state) for row in rows}

    async def set_state(self, pull_request_id: str, state: PullRequestState) -> PullRequest:
        """Record what became of it.

        Raises:
            PermanentError: ``pull_request_not_found``.
        """
        return await self.update(pull_request_id, state=state)

    async def update(self, pull_request_id: str, **changes: Any) -> PullRequest:
        """Change fields other than those that name it, as a revision does.

        Raises:
            PermanentError: ``pull_request_not_found``.
        """
        if unknown := set(changes) - _CHANGEABLE:
            raise TypeError(f"a pull request's {', '.join(sorted(unknown))} cannot be changed")
        values = {name: pull_request_value(name, value) for name, value in changes.items()}
        now = values["updated_at"] = self._clock.now()
        ended = {PullRequestState.MERGED: "merged_at", PullRequestState.CLOSED: "closed_at"}
        if at := ended.get(changes.get("state", PullRequestState.OPEN)):
            values.setdefault(at, func.coalesce(tables.pull_requests.c[at], now))
        known = tables.pull_requests.c.id == pull_request_id
        async with self._database.write() as connection:
            await connection.execute(update(tables.pull_requests).where(known).values(values))
            row = (await connection.execute(select(tables.pull_requests).where(known))).mappings().first()
            if row is None:
                raise failed("pull_request_not_found")
            changed = pull_request_from(row)
            if "state" in changes:
                await self._settle(connection, changed)
        return changed

    async def _settle(self, connection: Transaction, pull_request: PullRequest) -> None:
        """Let the bug library know what became of it, with the same commit."""
        concerned = {
            (pull_request.issue_id, pull_request.episode),
            *await _joined(connection, pull_request.id),
        }
        for issue_id, episode in concerned:
            await connection.run(settle, issue_id, episode, self._clock.now())

    async def issues_of(self, pull_request_id: str) -> Sequence[tuple[str, int]]:
        """Return the issues, each with its episode, that a pull request is to mend."""
        c = tables.pull_requests.c
        async with self._database.read() as connection:
            own = await connection.execute(select(c.issue_id, c.episode).where(c.id == pull_request_id))
            found = [(row.issue_id, row.episode) for row in own if row.issue_id]
            return list(dict.fromkeys([*found, *await _joined(connection, pull_request_id)]))

    async def of_error(self, repo_key: str, fingerprint: str) -> Sequence[PullRequest]:
        """Return the pull requests of an error in all its episodes, the newest first."""
        c = tables.pull_requests.c
        query = select(tables.pull_requests).where(c.fingerprint == fingerprint, c.repo_key == repo_key)
        async with self._database.read() as connection:
            rows = (await connection.execute(query.order_by(c.seq.desc()))).mappings().all()
        return [pull_request_from(row) for row in rows]

    async def open(self) -> Sequence[PullRequest]:
        """Return those of ours that are open, as far as we know, oldest first."""
        return await self._open()

    async def open_in(self, repo_key: str) -> Sequence[PullRequest]:
        """Return those of ours that are open in a repository, as far as we know, oldest first."""
        return await self._open(tables.pull_requests.c.repo_key == repo_key)

    async def lately_closed(self) -> Sequence[PullRequest]:
        """Return those closed unmerged within a month, oldest first: a person may open one again."""
        since = tables.pull_requests.c.closed_at > self._clock.now() - _MAY_OPEN_AGAIN
        return await self._all(PullRequestState.CLOSED, since)

    async def _open(self, *where: ColumnElement[bool]) -> Sequence[PullRequest]:
        return await self._all(PullRequestState.OPEN, *where)

    async def _all(self, state: PullRequestState, *where: ColumnElement[bool]) -> Sequence[PullRequest]:
        c = tables.pull_requests.c
        query = select(tables.pull_requests).where(c.state == state, *where)
        async with self._database.read() as connection:
            rows = (await connection.execute(query.order_by(c.created_at))).mappings().all()
        return [pull_request_from(row) for row in rows]


async def _joined(connection: Transaction, pull_request_id: str) -> list[tuple[str, int]]:
    """Return the issues, each with its episode, whose repair ended with this pull request."""
    c = tables.tasks.c
    query = select(c.issue_id, c.episode).where(c.pull_request_id == pull_request_id, text("kind = 'repair'"))
    return [(row.issue_id, row.episode) for row in await connection.execute(query) if row.issue_id]
