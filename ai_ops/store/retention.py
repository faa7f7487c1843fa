"""Forgets by age, a little at a time, so that intake never waits long for the writer.

Events go; their issues keep the counts, the first and the last time, and the newest sample. Releases go
that were not seen for as long, but for the newest of each service and environment. Of an ended run goes what
was recorded on the way; the run itself stays, with its outcome and cost. A run that may still be published,
because a person has not decided, and one whose pull request is open, keep everything. Deliveries of webhooks
are remembered for a month: no host sends one again after that. The ledger keeps the calls of runs that have
not ended, and those of today and yesterday, whatever the age. What rules found goes with the traces; the
audit log, which tells it too, is kept whole.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from sqlalchemy import Select, Table, delete, exists, or_, select

from ai_ops.core.ports import Clock
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.flow.task import TaskState
from ai_ops.store import releases, tables
from ai_ops.store.database import Database

_ROWS = 500
_PAUSE_SECONDS = 0.02
_OF_A_RUN = (tables.steps, tables.trace_events, tables.artifacts, tables.patches)
_BUDGETS_LOOK_BACK = timedelta(days=2)
_DELIVERIES_KEPT = timedelta(days=30)
_FINAL = tuple(state for state in TaskState if state.final)


class Retention:
    """Removes what is older than it may be.

    Args:
        database: where it lies.
        clock: the time.
        event_days: age of events and releases; 0 keeps them.
        trace_days: age of ended runs' traces; 0 keeps them.
    """

    def __init__(self, database: Database, clock: Clock, event_days: float, trace_days: float) -> None:
        self._database = database
        self._clock = clock
        self._event_days = event_days
        self._trace_days = trace_days

        self.removed = {"events": 0, "traces": 0}
        """What was removed since the start."""

    async def sweep(self, days: float | None = None) -> None:
        """Remove all that is too old, or older than so many days.

        Raises:
            TemporaryError: ``storage_unavailable``; what was removed before stays removed.
        """
        now = self._clock.now()
        event_days, trace_days = (self._event_days, self._trace_days) if days is None else (days, days)
        if event_days:
            for table in (tables.events, tables.counted_events):
                await self._forget_events(table, now - timedelta(days=event_days))
            await self._forget_releases(now - timedelta(days=event_days))
        await self._forget_deliveries(now - _DELIVERIES_KEPT)
        if trace_days:
            await self._forget_traces(now - timedelta(days=trace_days))
            await self._forget_calls(now - max(timedelta(days=trace_days), _BUDGETS_LOOK_BACK))
            findings = tables.security_findings
            await self._forget_oldest(findings, "at", now - timedelta(days=trace_days))
            await self._forget_oldest(tables.worker_losses, "at", now - timedelta(days=trace_days))
            await self._forget_oldest(tables.alerts, "resolved_at", now - timedelta(days=trace_days))
            await self._forget_oldest(tables.workflows, "ended_at", now - timedelta(days=trace_days))

    async def _forget_events(self, table: Table, before: datetime) -> None:
        """Remove the oldest. Nearly all were received in the order of their numbers: no index is needed.

        Events from while the clock was ahead lie before older ones. They stay, and it is looked behind them.
        """
        c, now, behind = table.c, self._clock.now(), 0
        while True:
            oldest = select(c.seq, c.received_at).where(c.seq > behind).order_by(c.seq).limit(_ROWS)
            async with self._database.write() as connection:
                rows = (await connection.execute(oldest)).all()
                if not any(received_at < before or received_at > now for _, received_at in rows):
                    return
                some = (c.seq > behind, c.seq <= rows[-1].seq, c.received_at < before)
                removed = await connection.execute(delete(table).where(*some))
            behind = rows[-1].seq
            self.removed["events"] += removed.rowcount
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _forget_releases(self, before: datetime) -> None:
        removed = _ROWS
        while removed == _ROWS:
            async with self._database.write() as connection:
                removed = await connection.run(releases.forget, before, _ROWS)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _forget_deliveries(self, before: datetime) -> None:
        c = tables.webhook_deliveries.c
        oldest = select(c.key).where(c.received_at < before).limit(_ROWS)
        removed = _ROWS
        while removed == _ROWS:
            async with self._database.write() as connection:
                gone = await connection.execute(delete(tables.webhook_deliveries).where(c.key.in_(oldest)))
            removed = gone.rowcount
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _forget_oldest(self, table: Table, moment: str, before: datetime) -> None:
        """Remove rows by a moment that has an index."""
        oldest = select(table.c.seq).where(table.c[moment] < before).limit(_ROWS)
        removed = _ROWS
        while removed == _ROWS:
            async with self._database.write() as connection:
                gone = await connection.execute(delete(table).where(table.c.seq.in_(oldest)))
            removed = gone.rowcount
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _forget_traces(self, before: datetime) -> None:
        async with self._database.read() as connection:
            ids = list((await connection.execute(_over(before))).scalars())
        for run_id in ids:
            for table in _OF_A_RUN:
                async with self._database.write() as connection:
                    await connection.execute(delete(table).where(table.c.run_id == run_id))
                await asyncio.sleep(_PAUSE_SECONDS)
            self.removed["traces"] += 1

    async def _forget_calls(self, before: datetime) -> None:
        """Remove the oldest calls of runs that are over: a budget may still be judged over the others."""
        c, runs = tables.model_calls.c, tables.runs.c
        at_work = exists().where(runs.id == c.run_id, runs.ended_at.is_(None))
        oldest = select(c.seq).where(c.at < before, ~at_work).order_by(c.at).limit(_ROWS)
        removed = _ROWS
        while removed == _ROWS:
            async with self._database.write() as connection:
                gone = await connection.execute(delete(tables.model_calls).where(c.seq.in_(oldest)))
            removed = gone.rowcount
            await asyncio.sleep(_PAUSE_SECONDS)


def _over(before: datetime) -> Select[tuple[str]]:
    """Return the query of the runs that ended before a time, have a trace, and need it no more."""
    runs, tasks, pulls = tables.runs.c, tables.tasks.c, tables.pull_requests.c
    wanted = exists().where(tasks.id == runs.task_id, tasks.state.not_in(_FINAL))
    # A revision builds on the evidence of the run that made the change.
    followed = exists().where(pulls.run_id == runs.id, pulls.state == PullRequestState.OPEN)
    has_trace = or_(*(exists().where(table.c.run_id == runs.id) for table in _OF_A_RUN))
    return select(runs.id).where(runs.ended_at < before, ~wanted, ~followed, has_trace).order_by(runs.seq)
