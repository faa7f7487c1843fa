"""Removes what is no longer needed: by age from the databases and the caches, and what runs left behind."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from ai_ops.core.identity import run_id
from ai_ops.core.ports import Clock, Tasks

log = logging.getLogger(__name__)

_LEAST_UNUSED = timedelta(days=1)
"""What was used since may still be in use."""


class Ages(Protocol):
    """Removes rows by age."""

    @property
    def removed(self) -> Mapping[str, int]:
        """How many were removed since the start, by kind."""
        ...

    async def sweep(self, days: float | None = None) -> None:
        """Remove what is older than it may be, or than so many days."""
        ...


class RunFolders(Protocol):
    """The folders of runs."""

    async def sweep(self, live: set[str], before: float | None = None) -> tuple[str, ...]:
        """Remove those of runs that are not ``live`` and were not used since ``before``; return their ids."""
        ...


Forget = Callable[[float], Awaitable[int]]
"""Removes what was not used since a moment, in seconds since 1970, and returns how many."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What was removed, by kind, and the bytes that the disk has free before and after."""

    removed: Mapping[str, int]
    free_before: int
    free_after: int

    @property
    def words(self) -> str:
        """What was removed, for people; empty when nothing was."""
        return ", ".join(f"{number} {kind}" for kind, number in self.removed.items() if number)


class Cleaning:
    """Removes what is no longer needed.

    Args:
        retention: rows of the databases.
        folders: those of runs.
        tasks: say which runs are alive.
        clock: the time.
        free: returns the bytes that are free on the disk.
        caches: what is made again when it is missing, by kind.
        cache_days: how long that is kept unused; 0 for ever.
    """

    def __init__(
        self,
        retention: Ages,
        folders: RunFolders,
        tasks: Tasks,
        clock: Clock,
        free: Callable[[], int],
        caches: Mapping[str, Forget],
        cache_days: float,
    ) -> None:
        self._retention = retention
        self._folders = folders
        self._tasks = tasks
        self._clock = clock
        self._free = free
        self._caches = caches
        self._cache_days = cache_days

    async def clean(self, days: float | None = None) -> Cleaned:
        """Remove what is too old by the settings, or older than so many days.

        Raises:
            TemporaryError: ``storage_unavailable``; what was removed before stays removed.
        """
        before, free = dict(self._retention.removed), self._free()
        await self._retention.sweep(days)
        removed = {kind: now - before.get(kind, 0) for kind, now in self._retention.removed.items()}
        live = {run_id(task.id, task.run_number) for task in await self._tasks.unfinished()}
        unused = (self._clock.now() - _LEAST_UNUSED).timestamp()
        removed["workspaces"] = len(await self._folders.sweep(live, unused))
        removed |= await self._clean_caches(self._cache_days if days is None else days)
        cleaned = Cleaned(removed, free, self._free())
        if cleaned.words:
            log.info("removed %s", cleaned.words)
        return cleaned

    async def sweep(self) -> None:
        """Remove what is too old by the settings."""
        await self.clean()

    async def repair(self) -> str:
        """Remove what is too old, as long as the disk is low; say what was removed."""
        words = (await self.clean()).words
        return f"old data was removed: {words}" if words else ""

    async def _clean_caches(self, days: float) -> dict[str, int]:
        if not days:
            return dict.fromkeys(self._caches, 0)
        unused = self._clock.now() - max(timedelta(days=days), _LEAST_UNUSED)
        return {kind: await forget(unused.timestamp()) for kind, forget in self._caches.items()}
