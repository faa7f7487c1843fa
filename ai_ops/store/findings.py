"""What rules and policies found, in the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping, insert, select, update

from ai_ops.flow.judgement import Decision, Finding, Severity
from ai_ops.store.database import Database
from ai_ops.store.rows import clean
from ai_ops.store.tables import security_findings

_NAMES = tuple(Finding.__dataclass_fields__)


class FindingRepository:
    """Implements ``Findings``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, finding: Finding) -> Finding:
        """Keep a finding; one of the same run, place and text is kept once."""
        c = security_findings.c
        same = (
            c.run_id == finding.run_id,
            c.task_id == finding.task_id,
            c.place == finding.place,
            c.rule == finding.rule,
            c.digest == finding.digest,
        )
        async with self._database.write() as connection:
            known = (await connection.execute(select(security_findings).where(*same))).mappings().first()
            if known is not None:
                return _finding(known)
            row = {name: getattr(finding, name) for name in _NAMES}
            row |= {"text": clean(finding.text, 2000), "reason": clean(finding.reason, 2000)}
            await connection.execute(insert(security_findings), row)
        return finding

    async def of_task(self, task_id: str) -> Sequence[Finding]:
        """Return the findings of a task, oldest first."""
        c = security_findings.c
        query = select(security_findings).where(c.task_id == task_id).order_by(c.seq)
        async with self._database.read() as connection:
            return [_finding(row) for row in (await connection.execute(query)).mappings()]

    async def unblock(self, ids: Sequence[str], who: str, reason: str) -> None:
        """Say that a person lets findings go on; the first word stands."""
        c = security_findings.c
        changed = update(security_findings).where(c.id.in_(ids), c.unblocked_by == "")
        async with self._database.write() as connection:
            values = {"unblocked_by": clean(who, 200), "reason": clean(reason, 2000)}
            await connection.execute(changed.values(values))

    async def since(
        self,
        moment: datetime,
        *,
        severities: Sequence[Severity] = (),
        decisions: Sequence[Decision] = (),
        limit: int = 200,
    ) -> Sequence[Finding]:
        """Return findings, newest first."""
        c = security_findings.c
        query = select(security_findings).where(c.at >= moment).order_by(c.seq.desc()).limit(limit)
        if severities:
            query = query.where(c.severity.in_(severities))
        if decisions:
            query = query.where(c.decision.in_(decisions))
        async with self._database.read() as connection:
            return [_finding(row) for row in (await connection.execute(query)).mappings()]


def _finding(row: RowMapping) -> Finding:
    values = {name: row[name] for name in _NAMES}
    return Finding(**{**values, "severity": Severity(row["severity"]), "decision": Decision(row["decision"])})
