"""The records of fix watches. What a watch concludes is one commit: state, issue, case and mail.

So an interrupted duty leaves either all of it or nothing, and a watch that two servers look at is concluded
by one of them: each writes only over the watch that it had read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, delete, exists, insert, or_, select, update

from ai_ops.core.fix_watch import Facts
from ai_ops.core.flood import IntakeRules
from ai_ops.core.ports import Clock
from ai_ops.flow.fix_watch import FixWatch, WatchState
from ai_ops.flow.issue import IssueState
from ai_ops.flow.notification import Notification
from ai_ops.flow.pull_request import PullRequest
from ai_ops.flow.task import Task
from ai_ops.store import decisions, outbox, tables
from ai_ops.store.database import Database
from ai_ops.store.lane import Transaction
from ai_ops.store.recurring import reopen
from ai_ops.store.rows import NAME, clean, pull_request_from
from ai_ops.store.watch_rows import watch_from, watch_row
from ai_ops.store.watched import begin_missing, facts_of

WHO = "fix watch"
"""Who stands on record for what a watch decides about an issue."""

ASKED_AGAIN = timedelta(hours=1)
"""After how long git is asked again about a release that it did not know: it may be pushed later."""

_C = tables.fix_watches.c
_ACTIVE = tuple(state for state in WatchState if state.active)
_HERE = (IssueState.OPEN, IssueState.RESOLVED)


class FixWatchRepository:
    """Implements ``FixWatches``; ``rules`` are intake's, for the repairs that follow."""

    def __init__(self, database: Database, clock: Clock, rules: IntakeRules | None = None) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules or IntakeRules()

    async def begin(self) -> int:
        """Make the watches that are missing; return how many."""
        async with self._database.write() as connection:
            return await connection.run(begin_missing)

    async def due(self) -> Sequence[FixWatch]:
        """Return those to be looked at: active ones, and others of which there is something new to know."""
        issues = tables.issues.c
        same = and_(issues.id == _C.issue_id, issues.episode == _C.episode, issues.state.in_(_HERE))
        failing = exists().where(same, issues.count != _C.seen_count)
        wanted = or_(
            _C.state.in_(_ACTIVE),
            and_(_C.state == WatchState.RESOLVED, failing),
            and_(_C.state == WatchState.ENDED, exists().where(same)),
        )
        return await self._all(wanted)

    async def facts(self, watch: FixWatch) -> Facts:
        """Return what is on record since the last look."""
        async with self._database.read() as connection:
            return await connection.run(facts_of, watch)

    async def builds(self, watch: FixWatch) -> Mapping[str, bool | None]:
        """Return which releases hold the merge commit, where that need not be asked again."""
        c = tables.fix_builds.c
        recent = or_(c.holds.is_not(None), c.asked_at > self._clock.now() - ASKED_AGAIN)
        query = select(c.release, c.holds).where(
            c.repo_key == watch.repo_key, c.merge_sha == watch.merge_sha, recent
        )
        async with self._database.read() as connection:
            return {row.release: row.holds for row in await connection.execute(query)}

    async def remember(self, watch: FixWatch, release: str, holds: bool | None) -> None:
        """Keep what git said of a release."""
        c = tables.fix_builds.c
        key = {"repo_key": watch.repo_key, "merge_sha": watch.merge_sha, "release": clean(release, NAME)}
        same = and_(*(c[name] == value for name, value in key.items()))
        row = {**key, "holds": holds, "asked_at": self._clock.now()}
        async with self._database.write() as connection:
            await connection.execute(delete(tables.fix_builds).where(same))
            await connection.execute(insert(tables.fix_builds), row)

    async def keep(self, before: FixWatch, after: FixWatch) -> bool:
        """Record a look that leads to nothing else."""
        async with self._database.write() as connection:
            return await _replaced(connection, before, after)

    async def resolve(self, before: FixWatch, after: FixWatch, mail: Notification | None) -> bool:
        """Record that a fix holds, resolve its issue and put the mail into the outbox, in one commit."""
        async with self._database.write() as connection:
            if not await _replaced(connection, before, after):
                return False
            row = await decisions.existing(connection, after.issue_id)
            if row["state"] == IssueState.OPEN and row["episode"] == after.episode:
                await decisions.change_state(connection, after.issue_id, "resolve", WHO, self._clock.now())
                if mail is not None:
                    await outbox.keep(connection, mail)
        return True

    async def recur(
        self, before: FixWatch, after: FixWatch, mail: Notification | None
    ) -> tuple[Task, ...] | None:
        """Record that an error came back, open its next episode and put the mail into the outbox, at once.

        Returns the new repairs, to be enqueued; None when nothing was done: its repair is still in hand, or
        somebody else was faster.
        """
        async with self._database.write() as connection:
            if not await _is_as_read(connection, before):
                return None
            row = await decisions.existing(connection, after.issue_id)
            if row["episode"] != after.episode:
                return None
            now = self._clock.now()
            tasks = await connection.run(reopen, row, after, now, self._rules, WHO)
            if tasks is None:
                return None
            await _replaced(connection, before, after)
            if mail is not None:
                await outbox.keep(connection, mail)
        return tuple(tasks)

    async def unproposed(self) -> Sequence[FixWatch]:
        """Return those whose error came back and whose revert was not proposed yet."""
        return await self._all((_C.state == WatchState.RECURRED) & _C.proposed_at.is_(None))

    async def proposed(self, watch: FixWatch, revert_url: str) -> None:
        """Record that the revert was proposed."""
        values = {"proposed_at": self._clock.now(), "revert_url": clean(revert_url)}
        this = and_(_C.pull_request_id == watch.pull_request_id, _C.issue_id == watch.issue_id)
        async with self._database.write() as connection:
            await connection.execute(update(tables.fix_watches).where(this).values(values))

    async def of_pull_request(self, pull_request_id: str) -> Sequence[FixWatch]:
        """Return the watches of a pull request, one for each issue that it was to mend."""
        return await self._all(_C.pull_request_id == pull_request_id)

    async def of_issue(self, issue_id: str) -> Sequence[FixWatch]:
        """Return the watches of an issue, the oldest first."""
        return await self._all(_C.issue_id == issue_id)

    async def failed(self, issue_id: str, episode: int) -> Sequence[PullRequest]:
        """Return the pull requests of earlier episodes that did not mend an issue, oldest first."""
        query = (
            select(tables.pull_requests)
            .join(tables.fix_watches, _C.pull_request_id == tables.pull_requests.c.id)
            .where(_C.issue_id == issue_id, _C.episode < episode, _C.state == WatchState.RECURRED)
            .order_by(_C.seq)
        )
        async with self._database.read() as connection:
            return [pull_request_from(row) for row in (await connection.execute(query)).mappings()]

    async def _all(self, where: ColumnElement[bool]) -> list[FixWatch]:
        query = select(tables.fix_watches).where(where).order_by(_C.seq)
        async with self._database.read() as connection:
            return [watch_from(row) for row in (await connection.execute(query)).mappings()]


def _unchanged(before: FixWatch) -> ColumnElement[bool]:
    return and_(
        _C.pull_request_id == before.pull_request_id,
        _C.issue_id == before.issue_id,
        _C.state == before.state,
        _C.seen_seq == before.seen_seq,
    )


async def _is_as_read(connection: Transaction, before: FixWatch) -> bool:
    return (await connection.execute(select(_C.seq).where(_unchanged(before)))).first() is not None


async def _replaced(connection: Transaction, before: FixWatch, after: FixWatch) -> bool:
    """Write a watch over the one that was read; return whether it was still that one."""
    written = update(tables.fix_watches).where(_unchanged(before)).values(watch_row(after))
    return bool((await connection.execute(written)).rowcount)
