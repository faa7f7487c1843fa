"""The records of guarding: what was found, what was decided, and by whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from ai_ops.core.audit import Fault
from ai_ops.flow.judgement import AuditEntry, Decision, Finding, Severity


class Findings(Protocol):
    """What rules and policies found in words and tool calls."""

    async def keep(self, finding: Finding) -> Finding:
        """Keep a finding; one of the same run, place and text is kept once."""
        ...

    async def of_task(self, task_id: str) -> Sequence[Finding]:
        """Return the findings of a task, oldest first."""
        ...

    async def unblock(self, ids: Sequence[str], who: str, reason: str) -> None:
        """Say that a person lets findings go on; the first word stands."""
        ...

    async def since(
        self,
        moment: datetime,
        *,
        severities: Sequence[Severity] = (),
        decisions: Sequence[Decision] = (),
        limit: int = 200,
    ) -> Sequence[Finding]:
        """Return findings, newest first."""
        ...


class Audit(Protocol):
    """The append-only record of what people, keys and policies decided."""

    async def append(
        self, who: str, verb: str, subject: str = "", detail: Mapping[str, Any] | None = None
    ) -> AuditEntry:
        """Write a line. It is on the disk when this returns.

        Raises:
            TemporaryError: ``storage_unavailable``; nothing was written.
        """
        ...

    async def since(self, moment: datetime, *, limit: int = 1000) -> Sequence[AuditEntry]:
        """Return lines, newest first."""
        ...

    async def verify(self) -> tuple[int, tuple[Fault, ...]]:
        """Read the whole log; return how many lines it has and what is wrong with it."""
        ...
