"""Rates: how many events a node may send, and how many of one issue are stored, as pure arithmetic.

Nothing is lost by either. A node above its rate is told to come back later; an issue above its own goes
on counting.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Bucket:
    """What a sender may still send, in events, and when that was so, in seconds of any steady clock."""

    level: float
    at: float


def draw(bucket: Bucket | None, now: float, events: int, per_minute: int) -> tuple[Bucket, float]:
    """Return the bucket after a wish to send, and the seconds to wait first; 0 when it is granted.

    A full bucket holds one minute's worth. While there is anything in it a batch is granted whole and
    may leave a debt, so that a batch larger than the bucket passes too.
    """
    level = float(per_minute)
    if bucket is not None:
        level = min(level, bucket.level + max(0.0, now - bucket.at) * per_minute / 60)
    if level > 0:
        return Bucket(level - events, now), 0.0
    return Bucket(level, now), (1 - level) * 60 / per_minute


class Minute(NamedTuple):
    """A minute of an issue: when it began, and how many events were stored in it."""

    began: datetime | None = None
    stored: int = 0


def store_one(minute: Minute, now: datetime, per_minute: int) -> tuple[Minute, bool]:
    """Return the minute after one more event, and whether that event is stored or only counted.

    ``per_minute`` 0 means that all are stored.
    """
    if minute.began is None or not minute.began <= now < minute.began + _MINUTE:
        minute = Minute(now, 0)
    if per_minute and minute.stored >= per_minute:
        return minute, False
    return Minute(minute.began, minute.stored + 1), True
