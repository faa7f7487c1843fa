"""A fixer that is only asked while no limit of the model's API pauses the queue."""

from __future__ import annotations

from typing import Any

from ai_ops.core.pausing import LIMIT_CODES, closed
from ai_ops.core.ports import Clock, Fixer, Pauses
from ai_ops.errors import TemporaryError
from ai_ops.flow.fixing import FixAnswer, FixRequest, Watch


class PacedFixer:
    """Puts the queue's pause around another ``Fixer``: looks before it asks, and begins or ends the pause."""

    def __init__(self, fixer: Fixer, pauses: Pauses, clock: Clock) -> None:
        self._fixer = fixer
        self._pauses = pauses
        self._clock = clock

    async def ask(self, request: FixRequest, watch: Watch) -> FixAnswer:
        """Ask, unless the queue is paused.

        Raises:
            TemporaryError: the limit's code; ``delay`` is what is left of the pause.
            AiOpsError: as the other fixer.
        """
        run = request.run_id
        pause = await self._pauses.enter(run)
        if pause is not None and pause.prober != run:
            raise closed(pause, run, self._clock.now())
        try:
            answer = await self._fixer.ask(request, self._probing(run, watch) if pause else watch)
        except TemporaryError as failure:
            if failure.code in LIMIT_CODES:
                await self._begin(run, failure)
            elif pause:
                await self._pauses.give_up(run)
            raise
        except BaseException:
            if pause:
                await self._pauses.give_up(run)
            raise
        if pause:
            await self._pauses.end(run)
        return answer

    async def _begin(self, run: str, limit: TemporaryError) -> None:
        pause = await self._pauses.meet(run, limit)
        limit.delay = max(limit.delay or 0.0, pause.wait_seconds(run, self._clock.now()))

    def _probing(self, run: str, watch: Watch) -> Watch:
        """Return a watch that ends the pause with the first word: an answer may take its time."""
        told = False

        async def first(kind: str, data: dict[str, Any]) -> None:
            nonlocal told
            if not told:
                told = True
                await self._pauses.end(run)
            await watch(kind, data)

        return first
