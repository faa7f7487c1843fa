"""Alerts: what was told to be wrong, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields

from sqlalchemy import RowMapping, insert, select, update

from ai_ops.core.ports import Page
from ai_ops.flow.alert import Alert, AlertState
from ai_ops.flow.health import Severity
from ai_ops.store.database import Database
from ai_ops.store.paging import page
from ai_ops.store.rows import clean
from ai_ops.store.tables import alerts


class AlertRepository:
    """Implements ``Alerts``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unresolved(self) -> Sequence[Alert]:
        """Return those that last, oldest first."""
        query = select(alerts).where(alerts.c.state != AlertState.RESOLVED.value).order_by(alerts.c.seq)
        async with self._database.read() as connection:
            return [_alert_from(row) for row in (await connection.execute(query)).mappings()]

    async def save(self, alert: Alert) -> None:
        """Keep one, or what it has become."""
        row = {
            name: clean(value) if isinstance(value, str) else value for name, value in asdict(alert).items()
        }
        async with self._database.write() as connection:
            changed = await connection.execute(update(alerts).where(alerts.c.id == alert.id).values(row))
            if not changed.rowcount:
                await connection.execute(insert(alerts), row)

    async def find(self, alert_id: str) -> Alert | None:
        """Return one."""
        async with self._database.read() as connection:
            found = await connection.execute(select(alerts).where(alerts.c.id == alert_id))
            row = found.mappings().first()
        return None if row is None else _alert_from(row)

    async def list(
        self, *, states: Sequence[AlertState] = (), limit: int = 50, cursor: str | None = None
    ) -> Page[Alert]:
        """Return alerts, newest first; no states: of any.

        Raises:
            PermanentError: ``invalid_cursor``.
        """
        where = [alerts.c.state.in_([state.value for state in states])] if states else []
        return await page(self._database, alerts, _alert_from, *where, limit=limit, cursor=cursor)


def _alert_from(row: RowMapping) -> Alert:
    plain = {field.name: row[field.name] for field in fields(Alert)}
    return Alert(**{**plain, "severity": Severity(row["severity"]), "state": AlertState(row["state"])})
