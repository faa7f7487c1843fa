"""How long an error has to stay away until its silence is no chance any more. Pure.

Errors come in bursts: what fails once often fails many times in a minute. So events are not what is counted,
but **occasions**: hours that had the error. Rates are in occasions per second.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

LOOKED_BACK = timedelta(days=14)
"""How far before the merge the rate of an error is taken from."""

LEAST = timedelta(hours=24)
MOST = timedelta(days=14)
"""The shortest and the longest window."""

CHANCE = 0.01
"""How likely the window may be silent by chance at the old rate."""

_ENOUGH = -math.log(CHANCE)  # occasions to be expected in the window: Poisson's chance of none is CHANCE


def occasions_per_second(occasions: int, first_seen: datetime, merged_at: datetime) -> float:
    """Return an error's rate before the merge.

    Args:
        occasions: the hours with the error in the time looked back; where it was new then, those after the
            first one.
        first_seen: when the error was first seen.
        merged_at: when its fix was merged.
    """
    span = merged_at - max(first_seen, merged_at - LOOKED_BACK)
    return occasions / span.total_seconds() if span > timedelta() else 0.0


def quiet_until(begun: datetime, clocks: Iterable[tuple[datetime, float]]) -> datetime:
    """Return when the silence since ``begun`` has lasted long enough.

    Args:
        begun: when the window began.
        clocks: for each place since when its silence counts, and its old rate.
    """
    latest = begun + MOST
    counting = sorted((start, rate) for start, rate in clocks if rate > 0 and start < latest)
    return min(max(begun + LEAST, _reached(counting) or latest), latest)


def _reached(clocks: Sequence[tuple[datetime, float]]) -> datetime | None:
    """Return when enough occasions were to be expected, all places together; None: never."""
    expected = rate = 0.0
    at: datetime | None = None
    for start, more in clocks:
        passed = (start - at).total_seconds() if at else 0.0
        if expected + rate * passed >= _ENOUGH:
            break
        expected, rate, at = expected + rate * passed, rate + more, start
    if at is None:
        return None
    return at + timedelta(seconds=min((_ENOUGH - expected) / rate, MOST.total_seconds()))
