"""The ledger of the calls to the model: one row a call, written before the call is made.

The budgets are judged and the row is written in one transaction, and there is one writer at a time. So
runs that go on at once, in several processes too, cannot spend the same money.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, and_, case, func, insert, select, update

from ai_ops.core.budgets import (
    AT_WORK,
    Budgets,
    PlannedCall,
    Spent,
    Stop,
    day_of,
    hour_of,
    judge,
    lost_usd,
)
from ai_ops.core.ports import Clock, Granted
from ai_ops.store import tables
from ai_ops.store.database import Database
from ai_ops.store.rows import clean

_MODEL = 200


class LedgerRepository:
    """Implements ``Ledger``."""

    def __init__(self, database: Database, clock: Clock, budgets: Budgets) -> None:
        self._database = database
        self._clock = clock
        self._budgets = budgets

    async def reserve(self, call: PlannedCall) -> Granted | Stop:
        """Set money aside for a call, in the transaction that judges the budgets."""
        async with self._database.write() as connection:
            # The time is taken once it is our turn: rows are in the order of their times.
            return await connection.run(_reserve, call, self._budgets, self._clock.now())

    async def settle(self, number: int, usd: float) -> None:
        """Replace what was set aside by what the call cost. The first word stands."""
        c = tables.model_calls.c
        unsettled = update(tables.model_calls).where(c.seq == number, c.actual_usd.is_(None))
        async with self._database.write() as connection:
            await connection.execute(unsettled.values(actual_usd=usd))

    async def settle_lost(self, run_id: str) -> None:
        """Settle the calls of a run whose process died, with what they can have cost since they were made."""
        async with self._database.write() as connection:
            await connection.run(_settle_lost, run_id, self._clock.now())

    async def spent(self, run_id: str) -> Spent:
        """Return what counts now against a run, the hour and the day."""
        async with self._database.read() as connection:
            return await connection.run(_spent, run_id, self._clock.now())


def _reserve(connection: Connection, call: PlannedCall, budgets: Budgets, now: datetime) -> Granted | Stop:
    usd = judge(call, _spent(connection, call.run_id, now), budgets, now)
    if isinstance(usd, Stop):
        return usd
    row = {
        "run_id": call.run_id,
        "at": now,
        "model": clean(call.model, _MODEL),
        "least_usd": call.least_usd,
        "reserved_usd": usd,
    }
    made = insert(tables.model_calls).values(row).returning(tables.model_calls.c.seq)
    return Granted(connection.execute(made).scalar_one(), usd)


def _settle_lost(connection: Connection, run_id: str, now: datetime) -> None:
    c = tables.model_calls.c
    lost = select(c.seq, c.at, c.least_usd, c.reserved_usd).where(c.run_id == run_id, c.actual_usd.is_(None))
    for row in connection.execute(lost).all():
        usd = lost_usd(row.least_usd, row.reserved_usd, now - row.at)
        connection.execute(update(tables.model_calls).where(c.seq == row.seq).values(actual_usd=usd))


def _spent(connection: Connection, run_id: str, now: datetime) -> Spent:
    c = tables.model_calls.c
    counts = func.coalesce(c.actual_usd, c.reserved_usd)
    at_work = case((and_(c.actual_usd.is_(None), c.at > now - AT_WORK), c.reserved_usd), else_=0.0)
    in_hour = c.at >= hour_of(now)
    of_day = select(
        func.sum(case((in_hour, counts), else_=0.0)),
        func.sum(counts),
        func.sum(case((in_hour, at_work), else_=0.0)),
        func.sum(at_work),
    ).where(c.at >= day_of(now))
    of_run = select(func.sum(counts)).where(c.run_id == run_id)
    sums = (connection.execute(of_run).scalar_one(), *connection.execute(of_day).one())
    return Spent(*(float(usd or 0.0) for usd in sums))
