"""Whether the queue takes and begins work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ai_ops.core.admission import Gate


class QueueGate(Protocol):
    """The cap on prompt tasks as it stands. It outlives the process; ``Tasks.create`` asks it too."""

    async def look(self) -> tuple[Gate, int]:
        """Bring the gate up to date; return it and how many of what it counts are pending."""
        ...

    async def room(self) -> int | None:
        """Return how many more of what it counts it would let in now; None: it never closes."""
        ...

    async def told(self, gate: Gate) -> None:
        """Note that people know that this gate is open again."""
        ...


@dataclass(frozen=True, slots=True)
class Maintenance:
    """No new work begins since then, because of ``reason``."""

    since: datetime
    reason: str = ""


class MaintenanceSwitch(Protocol):
    """Whether there is maintenance. A person may throw it without the server."""

    def current(self) -> Maintenance | None:
        """Return the maintenance, None when there is none."""
        ...

    def on(self, reason: str) -> Maintenance:
        """Begin it; one that there is goes on.

        Raises:
            TemporaryError: ``storage_unavailable``.
        """
        ...

    def off(self) -> None:
        """End it; harmless when there is none.

        Raises:
            TemporaryError: ``storage_unavailable``.
        """
        ...
