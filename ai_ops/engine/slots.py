"""The places to work at. Who asks for one is served by rank: those who are new, and those who come back.

A task that waits for a reset should not keep others from working, so it gives its place up and asks for one
again. The durable queue cannot compare priorities across repositories, so places are counted here, in the
process that runs the work.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ai_ops.engine.line import Line, rank


class Slots:
    """``capacity`` places to work at; ``line`` are those who have not begun."""

    def __init__(self, capacity: int, line: Line | None = None) -> None:
        self._free = capacity
        self._line = line
        self._asking: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._held = False

    @property
    def waiting(self) -> int:
        """How many ask for a place and have none."""
        return sum(not place.done() for _, _, place in self._asking) + len(self._line or ())

    def hold(self, held: bool) -> None:
        """Give no place to anybody while held; who has one keeps it."""
        self._held = held
        self.hand_out()

    async def take(self, rank: int) -> None:
        """Wait for a place and take it; a smaller rank is served first."""
        place = asyncio.get_running_loop().create_future()
        heapq.heappush(self._asking, (rank, next(self._order), place))
        self.hand_out()
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # it was ours already
                self.give()
            raise

    def give(self) -> None:
        """Give a place back."""
        self._free += 1
        self.hand_out()

    def hand_out(self) -> None:
        """Give free places to whoever is next. What was begun comes before what is new, of equal rank."""
        while self._free and not self._held:
            while self._asking and self._asking[0][2].done():
                heapq.heappop(self._asking)
            new = self._line.peek() if self._line is not None else None
            if self._asking and (new is None or self._asking[0][0] <= rank(new)):
                self._free -= 1
                heapq.heappop(self._asking)[2].set_result(None)
            elif self._line is not None and new is not None:
                self._free -= 1
                self._line.admit(new)
            else:
                return


class Seat:
    """One run's place: held while it works, given up while it waits. ``taken``: it has its place already."""

    def __init__(self, slots: Slots, rank: int, *, taken: bool = False) -> None:
        self._slots = slots
        self._rank = rank
        self._held = taken

    async def __aenter__(self) -> Seat:
        if not self._held:
            await self._take()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._give()

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Give the place up for a while, and wait for one again afterwards, also when the waiting failed."""
        self._give()
        try:
            yield
        except Exception:
            await self._take()
            raise
        await self._take()

    async def _take(self) -> None:
        await self._slots.take(self._rank)
        self._held = True

    def _give(self) -> None:
        if self._held:
            self._held = False
            self._slots.give()
