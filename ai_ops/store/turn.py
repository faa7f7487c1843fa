"""The writer's turn: one transaction at a time writes, in the order in which they came."""

from __future__ import annotations

import asyncio


class Turn:
    """A lock that says how many wait for it."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self.wanted = 0
        """How many wait."""

    async def acquire(self) -> None:
        """Wait for it, behind all who came before."""
        self.wanted += 1
        try:
            await self._lock.acquire()
        finally:
            self.wanted -= 1

    def release(self) -> None:
        """Give it to the next."""
        self._lock.release()

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(self, *_: object) -> None:
        self.release()
