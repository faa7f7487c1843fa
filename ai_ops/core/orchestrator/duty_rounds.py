"""A duty that is done again and again: what fails is told, and the next turn is another try.

A failure that nobody foresaw ends no duty either: nobody would notice that it is no longer done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ai_ops.errors import AiOpsError

log = logging.getLogger(__name__)


async def again_and_again(what: str, every_seconds: float, duty: Callable[[], Awaitable[object]]) -> None:
    """Do a duty until cancelled, with a rest of so many seconds after each turn."""
    while True:
        try:
            await duty()
        except AiOpsError as failure:
            log.warning("%s: %s", what, failure)
        except Exception:
            log.exception("%s: a turn broke", what)
        await asyncio.sleep(every_seconds)
