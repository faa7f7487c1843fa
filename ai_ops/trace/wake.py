"""Wake those who follow a run when this process writes to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator


class Listener:
    """One who waits; ``clear`` before looking, so that nothing between look and wait is missed."""

    def __init__(self) -> None:
        self._called = asyncio.Event()

    def clear(self) -> None:
        """Forget earlier calls."""
        self._called.clear()

    def call(self) -> None:
        """End the wait."""
        self._called.set()

    async def wait(self, seconds: float) -> None:
        """Wait for a call, or for so long at most."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._called.wait(), seconds)


class Wake:
    """The listeners of each run."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[Listener]] = {}

    @contextlib.contextmanager
    def listen(self, run_id: str) -> Iterator[Listener]:
        """Give a listener to a run for as long as the block lasts."""
        listener = Listener()
        self._listeners.setdefault(run_id, set()).add(listener)
        try:
            yield listener
        finally:
            listeners = self._listeners[run_id]
            listeners.discard(listener)
            if not listeners:
                del self._listeners[run_id]

    def wake(self, run_id: str) -> None:
        """Call every listener of a run."""
        for listener in self._listeners.get(run_id, ()):
            listener.call()
