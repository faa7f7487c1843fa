"""What is kept of schedules and of the times that came."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from ai_ops.core.ports.records import Page
from ai_ops.flow.schedule import Schedule, Tick


class Schedules(Protocol):
    """Prompt tasks that come again and again."""

    async def create(self, schedule: Schedule) -> tuple[Schedule, bool]:
        """Keep a new one, or return the one of the same external id, and whether it is new.

        Raises:
            PermanentError: ``too_many_schedules``.
        """
        ...

    async def find(self, schedule_id: str) -> Schedule | None:
        """Return a schedule."""
        ...

    async def list(self, *, limit: int = 50, cursor: str | None = None) -> Page[Schedule]:
        """Return schedules, newest first."""
        ...

    async def update(self, schedule_id: str, **changes: Any) -> Schedule:
        """Change fields. Raises ``schedule_not_found``."""
        ...

    async def delete(self, schedule_id: str) -> None:
        """Forget a schedule with its ticks; its tasks stay. Raises ``schedule_not_found``."""
        ...

    async def due(self, now: datetime, limit: int = 100) -> Sequence[Schedule]:
        """Return the enabled schedules that have a time to see to, the longest due first."""
        ...

    async def record(
        self, schedule: Schedule, ticks: Sequence[Tick], *, next_at: datetime | None = None
    ) -> Schedule | None:
        """Keep what became of times, and the next one, in one commit; None when it was deleted meanwhile."""
        ...

    async def ticks(self, schedule_id: str, *, limit: int = 50, cursor: str | None = None) -> Page[Tick]:
        """Return what became of a schedule's times, newest first."""
        ...
