"""Calls to a code host, spread out: hundreds of open pull requests must not spend what runs need.

Hosts count requests and refuse for a while who asks too often. What goes round in the background takes its
turn here; runs, which ask little and are waited for, do not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from ai_ops.core.ports import CodeHost

UNPACED = frozenset({"local"})
"""The hosts that are this server itself."""


class Pace:
    """Lets callers through one by one, the same time apart.

    Args:
        per_minute: how many.
        now: seconds of a clock that only goes forward.
        sleep: waits.
    """

    def __init__(
        self,
        per_minute: int,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._apart = 60.0 / per_minute
        self._now = now
        self._sleep = sleep
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for one's turn."""
        now = self._now()
        at = max(now, self._next)
        self._next = at + self._apart
        if at > now:
            await self._sleep(at - now)


class _PacedHost:
    """Any code host: each of its calls waits for its turn first, whatever the port has or will have."""

    def __init__(self, host: CodeHost, pace: Pace) -> None:
        self._host = host
        self._pace = pace

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        call = getattr(self._host, name)

        async def paced(*arguments: Any, **named: Any) -> Any:
            await self._pace.turn()
            return await call(*arguments, **named)

        return paced


def paced(host: CodeHost, pace: Pace) -> CodeHost:
    """Return a code host whose calls keep a pace."""
    return cast("CodeHost", _PacedHost(host, pace))


def paced_hosts(hosts: Mapping[str, CodeHost], per_minute: int) -> dict[str, CodeHost]:
    """Return the code hosts by name, each with a pace of its own; our own server needs none."""
    return {name: host if name in UNPACED else paced(host, Pace(per_minute)) for name, host in hosts.items()}
