"""A fixer that is built at its first request: importing the SDK would double the server's start-up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ai_ops.core.ports import Fixer
from ai_ops.flow.fixing import FixAnswer, FixRequest, Watch


class DeferredFixer:
    """Implements ``Fixer`` by another one that ``build`` makes."""

    def __init__(self, build: Callable[[], Fixer]) -> None:
        self._build = build
        self._fixer: Fixer | None = None
        self._building = asyncio.Lock()

    async def ask(self, request: FixRequest, watch: Watch) -> FixAnswer:
        """Ask the fixer, building it first if this is the first request."""
        async with self._building:
            if self._fixer is None:
                self._fixer = await asyncio.to_thread(self._build)
        return await self._fixer.ask(request, watch)
