"""What is due: times that have come since the last look, and what becomes of those that were missed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from ai_ops.core.schedules.cron import Cron
from ai_ops.flow.schedule import Missed

ON_TIME = timedelta(minutes=5)
"""A time that came longer ago than this was missed: nobody was there."""

_MOST_CAUGHT_UP = 50
_MOST_LOOKED_AT = 100_000


@dataclass(frozen=True, slots=True)
class Plan:
    """The times to make a task for, oldest first, how many were missed without one, and the next time.

    ``covered`` of the missed ones are stood for by the first task.
    """

    run: tuple[datetime, ...]
    missed: tuple[datetime, ...]
    next_at: datetime
    covered: int = 0


def plan(cron: Cron, next_at: datetime, now: datetime, policy: Missed) -> Plan:
    """Return what a schedule has to do now.

    Args:
        cron: when it is due.
        next_at: the first time that nothing was done for yet.
        now: the present.
        policy: what becomes of missed times.
    """
    if next_at > now:
        return Plan((), (), next_at)
    times = [next_at]
    for moment in islice(cron.moments(next_at), _MOST_LOOKED_AT):
        if moment > now:
            following = moment
            break
        times.append(moment)
    else:  # a very long sleep: what lies between is not worth counting
        following = cron.after(now)
    late = [time for time in times if now - time > ON_TIME]
    on_time = times[len(late) :]
    if policy is Missed.CATCH_UP:
        kept = times[-_MOST_CAUGHT_UP:]
        return Plan(tuple(kept), tuple(times[: len(times) - len(kept)]), following)
    if policy is Missed.COALESCE and late and not on_time:
        return Plan((late[-1],), (), following, covered=len(late) - 1)
    # Of several on time only the newest runs: they came within minutes of a busy or sleeping server.
    return Plan(tuple(on_time), tuple(late), following)
