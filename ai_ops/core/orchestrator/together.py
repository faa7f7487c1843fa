"""Work done side by side, of which nothing goes on once the whole is over, however it ended.

``asyncio.gather`` leaves the rest at work when one part fails. A step is then entered again while its first
entry still holds children and folders, and no cancellation reaches those any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def together(*works: Awaitable[T]) -> list[T]:
    """Do all of it at once, and return the results in the order of the work.

    When one fails, or the caller is cancelled, the rest is cancelled and has ended before this returns.

    Raises:
        Exception: the first failure, as it is. What the rest ended with because of it is not told.
        CancelledError: the caller was cancelled, whatever the work ended with for that.
    """
    if not works:
        return []
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if task in ended:  # the others were cancelled, and would say so instead of the failure
            task.result()
    return [task.result() for task in tasks]
