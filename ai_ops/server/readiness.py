"""Whether the server can work, asked of the database at most once a second: the answer is public.

Callers that come while it is being asked wait for the same answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from ai_ops.errors import AiOpsError

_GOOD_SECONDS = 1.0


class Readiness:
    """Remembers the last answer.

    Args:
        ask: raises a named failure when the server cannot work.
        clock: seconds that only grow.
    """

    def __init__(
        self, ask: Callable[[], Awaitable[None]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._turn = asyncio.Lock()
        self._asked_at = -_GOOD_SECONDS
        self._failure: AiOpsError | None = None

    async def check(self) -> None:
        """Return when the server can work.

        Raises:
            AiOpsError: why it cannot.
        """
        async with self._turn:
            if self._clock() - self._asked_at >= _GOOD_SECONDS:
                self._failure = await self._answer()
                self._asked_at = self._clock()
        if self._failure is not None:
            raise self._failure

    async def _answer(self) -> AiOpsError | None:
        try:
            await self._ask()
        except AiOpsError as failure:
            return failure
        return None


READINESS = web.AppKey("readiness", Readiness)
