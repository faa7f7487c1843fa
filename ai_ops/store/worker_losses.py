"""Which runs were taken from their workers, and why."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, insert, select

from ai_ops.flow.worker import Loss, LossReason, RecordedLoss
from ai_ops.store.database import Database
from ai_ops.store.tables import worker_losses


class WorkerLossRepository:
    """Implements ``WorkerLosses``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, lost: RecordedLoss) -> int:
        """Keep one, and return how many the run has had, those a person asked for not counted."""
        c = worker_losses.c
        row = {
            "run_id": lost.run_id,
            "task_id": lost.task_id,
            "number": lost.number,
            "at": lost.at,
            "reason": lost.loss.reason.value,
            "detail": lost.loss.detail,
        }
        counted = c.run_id == lost.run_id, c.reason != LossReason.ASKED.value
        async with self._database.write() as connection:
            await connection.execute(insert(worker_losses), row)
            return int((await connection.execute(select(func.count()).where(*counted))).scalar_one())

    async def recent(self, number: int, limit: int = 20) -> Sequence[RecordedLoss]:
        """Return a worker's newest ones, newest first."""
        c = worker_losses.c
        query = select(worker_losses).where(c.number == number).order_by(c.seq.desc()).limit(limit)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [
            RecordedLoss(
                row["run_id"],
                row["task_id"],
                row["number"],
                row["at"],
                Loss(LossReason(row["reason"]), row["detail"]),
            )
            for row in rows
        ]
