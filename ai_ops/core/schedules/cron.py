"""A cron expression in a time zone: the moments at which it is due.

The library works out local times, without a zone; what a change of the clock makes of them is decided
here, as Vixie cron does. A fixed time that the change leaves out is due at the moment of the change; one
that comes twice is due the first time only. An expression whose hours are open (``*`` or ``*/2``) follows the
time that passes: it is due in both of the two hours, and not at all in the one that is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, CroniterError, croniter

from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError

_NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MOST = 200  # characters
_AROUND = timedelta(hours=26)  # no change of the clock is longer, not even that of Samoa's date
_FIELDS = ("minute", "hour", "day of month", "month", "day of week")
_FIELD = re.compile(r"[0-9A-Za-z*,/L#?-]+")


@dataclass(frozen=True, slots=True)
class Cron:
    """A checked expression: five fields, and the zone that they are read in."""

    expression: str
    zone: ZoneInfo

    def after(self, moment: datetime) -> datetime:
        """Return the first moment after ``moment`` (aware) at which it is due, in UTC."""
        return next(self.moments(moment))

    def moments(self, after: datetime) -> Iterator[datetime]:
        """Yield every moment after ``after`` (aware) at which it is due, in UTC, for ever."""
        last = after.astimezone(UTC)
        while True:
            last = self._next(last)
            yield last

    def _next(self, after: datetime) -> datetime:
        local = after.astimezone(self.zone)
        naive = local.replace(tzinfo=None)
        first = _following(self.expression, naive)
        there = first.replace(tzinfo=self.zone)
        if (
            local.utcoffset() == there.utcoffset()
            and not _twice(local)
            and not _twice(there)
            and _exists(there)
        ):
            return there.astimezone(UTC)
        # The clock changes in between: every local time around is looked at.
        found: list[datetime] = []
        start = naive - _AROUND
        for time in _times(self.expression, start):
            if found and time > min(found).astimezone(self.zone).replace(tzinfo=None) + _AROUND:
                break
            found += [moment for moment in self._of(time) if moment > after]
        return min(found)

    def _of(self, local: datetime) -> tuple[datetime, ...]:
        """Return the moments at which a local time of the expression is due."""
        open_hours = self.expression.split()[1].startswith("*")
        first = local.replace(tzinfo=self.zone)
        if not _exists(first):
            # Read with the offset from before the change, as the clock would have gone on.
            return () if open_hours else (_change(first),)
        if _twice(first) and open_hours:
            return (first.astimezone(UTC), first.replace(fold=1).astimezone(UTC))
        return (first.astimezone(UTC),)


def parse(expression: str, timezone: str) -> Cron:
    """Return a checked expression.

    Raises:
        PermanentError: ``bad_cron``, ``bad_timezone``.
    """
    text = " ".join(expression.split())
    text = _NAMED.get(text.lower(), text)
    fields = text.split()
    if len(text) > _MOST or len(fields) != 5 or not all(_FIELD.fullmatch(field) for field in fields):
        raise _bad(expression, f"it needs five fields: {', '.join(_FIELDS)}")
    try:
        croniter.expand(text)
        _following(text, datetime(2026, 1, 1))
    except CroniterBadDateError:
        raise _bad(expression, "no date is ever like that") from None
    except (CroniterError, ValueError, KeyError, IndexError, ZeroDivisionError):
        raise _bad(expression, _fault(fields)) from None
    return Cron(text, _zone(timezone))


def _fault(fields: list[str]) -> str:
    """Return which field cannot be read, where one alone can be blamed."""
    for at, name in enumerate(_FIELDS):
        alone = ["*"] * len(_FIELDS)
        alone[at] = fields[at]
        try:
            croniter.expand(" ".join(alone))
        except (CroniterError, ValueError, KeyError, IndexError, ZeroDivisionError):
            return f"{fields[at]!r} is no {name}"
    return "it cannot be read"


def _bad(expression: str, why: str) -> AiOpsError:
    return failed("bad_cron", f"the cron expression {expression[:_MOST]!r} is not accepted: {why}")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise failed("bad_timezone", f"there is no time zone {name[:100]!r}") from None


def _following(expression: str, naive: datetime) -> datetime:
    return next(_times(expression, naive))


def _times(expression: str, after: datetime) -> Iterator[datetime]:
    """Yield local times after ``after``."""
    times = croniter(expression, after, max_years_between_matches=50)
    while True:
        following: datetime = times.get_next(datetime)
        yield following


def _exists(local: datetime) -> bool:
    """Whether the clock ever shows a local time."""
    return local.astimezone(UTC).astimezone(local.tzinfo).replace(tzinfo=None) == local.replace(tzinfo=None)


def _twice(local: datetime) -> bool:
    """Whether the clock shows a local time twice."""
    return _exists(local) and local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


def _change(missing: datetime) -> datetime:
    """Return the moment at which the clock leaves out a local time, in UTC."""
    after = missing.replace(fold=0).astimezone(UTC)  # with the offset from before: behind the change
    before = missing.replace(fold=1).astimezone(UTC)  # with that from after it: in front of it
    zone, early = missing.tzinfo, before.astimezone(missing.tzinfo).utcoffset()
    least, most = int(before.timestamp()), int(after.timestamp())
    while most - least > 1:
        middle = (least + most) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == early:
            least = middle
        else:
            most = middle
    return datetime.fromtimestamp(most, UTC)
