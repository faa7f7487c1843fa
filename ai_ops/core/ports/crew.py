"""What workers are watched by: their processes, and the record of those that were replaced."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from ai_ops.flow.worker import RecordedLoss


@dataclass(frozen=True, slots=True)
class TreeUse:
    """What processes use with all that they started. ``cpu_seconds`` is of those that live now."""

    memory_bytes: int = 0
    cpu_seconds: float = 0.0
    processes: int = 0


class ChildTree(Protocol):
    """The processes of one worker."""

    @property
    def words(self) -> int:
        """How often they have printed something."""
        ...

    def look(self) -> TreeUse:
        """Return what they use now; it reads files and is called from a thread."""
        ...

    def kill(self) -> None:
        """Kill them all; harmless when they are gone."""
        ...


class Nursery(Protocol):
    """Knows which processes belong to whom."""

    def gather(self) -> AbstractContextManager[ChildTree]:
        """Gather the processes that are started while entered, by this asyncio task and those it begins."""
        ...


class WorkerLosses(Protocol):
    """Which runs were taken from their workers, and why."""

    async def record(self, lost: RecordedLoss) -> int:
        """Keep one, and return how many the run has had, those a person asked for not counted."""
        ...

    async def recent(self, number: int, limit: int = 20) -> Sequence[RecordedLoss]:
        """Return a worker's newest ones, newest first."""
        ...
