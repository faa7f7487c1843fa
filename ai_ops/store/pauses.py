"""The pause of the queue after a limit of the model's API: one row for each account that met one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from ai_ops.core import pausing
from ai_ops.core.pausing import Pause
from ai_ops.core.ports import Clock
from ai_ops.errors import TemporaryError
from ai_ops.store import tables
from ai_ops.store.database import Database

_Change = Callable[[Pause | None, datetime], Pause | None]


class PauseRepository:
    """Implements ``Pauses``.

    Args:
        database: where it lies.
        clock: the time.
        account: who is limited. A pause of another account holds nobody up.
        unstated_seconds: how long a limit that lasts is waited for when nobody says when it ends.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        account: str,
        unstated_seconds: float = pausing.UNSTATED_SECONDS,
    ) -> None:
        self._database = database
        self._clock = clock
        self._account = account
        self._unstated_seconds = unstated_seconds

    async def current(self) -> Pause | None:
        """Return the pause, None when the queue is not paused."""
        async with self._database.read() as connection:
            return await connection.run(_find, self._account)

    async def enter(self, run_id: str) -> Pause | None:
        """Come to ask for a run; it may if there is no pause, or it is the pause's prober now."""
        if await self.current() is None:  # nearly always, and it costs no commit
            return None
        return await self._change(lambda pause, now: pause and pausing.entered(pause, run_id, now))

    async def meet(self, run_id: str, limit: TemporaryError) -> Pause:
        """Begin the pause, or prolong it: a run met a limit."""
        unstated = self._unstated_seconds
        pause = await self._change(lambda pause, now: pausing.met(pause, run_id, limit, now, unstated))
        assert pause is not None
        return pause

    async def give_up(self, run_id: str) -> None:
        """Let another run try: this one ended without a word on the limit."""
        await self._change(lambda pause, _: pause and pausing.given_up(pause, run_id))

    async def end(self, run_id: str) -> None:
        """End the pause: its prober was answered. What another run says changes nothing."""
        await self._change(lambda pause, _: None if pause and pause.prober == run_id else pause)

    async def lift(self) -> Pause | None:
        """End the waiting, because a person wants to: the next run that asks looks whether it is over."""
        return await self._change(lambda pause, now: pause and pausing.lifted(pause, now))

    async def _change(self, change: _Change) -> Pause | None:
        async with self._database.write() as connection:
            return await connection.run(_changed, self._account, change, self._clock.now())


def _find(connection: Connection, account: str) -> Pause | None:
    query = select(tables.model_pauses).where(tables.model_pauses.c.account == account)
    row = connection.execute(query).mappings().first()
    return Pause(**{each.name: row[each.name] for each in fields(Pause)}) if row else None


def _changed(connection: Connection, account: str, change: _Change, now: datetime) -> Pause | None:
    before = _find(connection, account)
    after = change(before, now)
    if after != before:
        connection.execute(delete(tables.model_pauses).where(tables.model_pauses.c.account == account))
        if after is not None:
            connection.execute(insert(tables.model_pauses), {"account": account, **asdict(after)})
    return after
