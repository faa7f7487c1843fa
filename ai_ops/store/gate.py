"""The gate of the queue: one row, judged in the transaction that creates a task."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from ai_ops.core import admission
from ai_ops.core.admission import COUNTED_STATES, Admission, Gate, QueueRules
from ai_ops.core.ports import Clock
from ai_ops.flow.task import Priority, TaskKind
from ai_ops.store import tables
from ai_ops.store.database import Database

_NAME = "prompts"
_G, _T = tables.queue_gates.c, tables.tasks.c
_GATE = select(tables.queue_gates).where(_G.name == _NAME)  # made once: a spike asks in each transaction


class GateRepository:
    """Implements ``QueueGate``."""

    def __init__(self, database: Database, clock: Clock, rules: QueueRules) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules

    async def look(self) -> tuple[Gate, int]:
        """Bring the gate up to date; return it and how many of what it counts are pending."""
        now = self._clock.now()
        async with self._database.read() as connection:
            gate, number = await connection.run(_seen)
        if admission.swung(gate, number, self._rules, now) == gate:  # nearly always, and it costs no commit
            return gate, number
        async with self._database.write() as connection:
            return await connection.run(_swung, self._rules, now)

    async def room(self) -> int | None:
        """Return how many more of what it counts it would let in now; None: it never closes."""
        return admission.room(*await self.look(), self._rules)

    async def told(self, gate: Gate) -> None:
        """Note that people know that this gate is open again."""
        same = (_G.name == _NAME, _G.since == gate.since)
        async with self._database.write() as connection:
            await connection.execute(update(tables.queue_gates).where(*same).values(told=True))


def load(connection: Connection) -> Gate:
    """Return the gate as it was left."""
    row = connection.execute(_GATE).mappings().first()
    return Gate(**{each.name: row[each.name] for each in fields(Gate)}) if row else Gate()


def admitted(connection: Connection, rules: QueueRules, now: datetime) -> Admission:
    """Return what becomes of one more task that the cap is for, and keep the gate."""
    before = load(connection)
    decided = admission.admit(before, _pending(connection), rules, now)
    _keep(connection, before, decided.gate)
    return decided


def _seen(connection: Connection) -> tuple[Gate, int]:
    return load(connection), _pending(connection)


def _swung(connection: Connection, rules: QueueRules, now: datetime) -> tuple[Gate, int]:
    before, number = _seen(connection)
    after = admission.swung(before, number, rules, now)
    _keep(connection, before, after)
    return after, number


def _pending(connection: Connection) -> int:
    wanted = (_T.state.in_(COUNTED_STATES), _T.kind == TaskKind.PROMPT, _T.priority != Priority.URGENT)
    return int(connection.execute(select(func.count()).select_from(tables.tasks).where(*wanted)).scalar_one())


def _keep(connection: Connection, before: Gate, after: Gate) -> None:
    if after != before:
        connection.execute(delete(tables.queue_gates).where(_G.name == _NAME))
        connection.execute(insert(tables.queue_gates), {"name": _NAME, **asdict(after)})
