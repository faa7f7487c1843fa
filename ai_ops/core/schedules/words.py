"""A cron expression in words, for people who do not read cron."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable

from ai_ops.core.schedules.cron import Cron

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MOST_TIMES = 6


def words(cron: Cron) -> str:
    """Return when an expression is due, as a sentence without its full stop."""
    minute, hour, day, month, weekday = cron.expression.lower().split()
    at = _time(minute, hour)
    days = _days(day, weekday)
    parts = [at, "" if "every" in at and days == "every day" else days]
    if month != "*":
        parts.append("in " + _listed(month, _month))
    said = " ".join(part for part in parts if part)
    return f"{said[0].upper()}{said[1:]} ({cron.zone.key})"


def _time(minute: str, hour: str) -> str:
    if minute.isdigit() and _numbers(hour):
        times = [f"{int(one):02}:{int(minute):02}" for one in hour.split(",")]
        if len(times) <= _MOST_TIMES:
            return f"at {_and(times)}"
    within = "" if hour == "*" else f" {_hours(hour)}"
    if minute == "*":
        return f"every minute{within}"
    if step := _step(minute):
        return f"every {_ordinal_free(step, 'minute')}{within}"
    if minute == "0" and (step := _step(hour)):
        return f"every {_ordinal_free(step, 'hour')}"
    every = " of every hour" if hour == "*" else within
    return f"at minute {_listed(minute, str)}{every}"


def _hours(hour: str) -> str:
    if step := _step(hour):
        return f"of every {_nth(step)} hour"
    return f"of the hours {_listed(hour, str)}"


def _days(day: str, weekday: str) -> str:
    open_day, open_weekday = day in ("*", "?"), weekday in ("*", "?")
    if open_day and open_weekday:
        return "every day"
    last = "on the last day of the month"
    of_month = "" if open_day else last if day == "l" else f"on day {_listed(day, str)} of the month"
    of_week = "" if open_weekday else f"on {_listed(weekday, _weekday)}"
    # Where both are given, cron is due on either.
    return " or ".join(part for part in (of_month, of_week) if part)


def _listed(field: str, name: Callable[[str], str]) -> str:
    """Return a field's list in words; ``name`` says one value."""
    told = []
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        said = f"{name(first)} to {name(last)}" if dash else str(name(first))
        every = f"every {_nth(int(step))}" if step.isdigit() else ""
        told.append(every if span == "*" else f"{every} from {said}" if every else said)
    return _and(told)


def _weekday(value: str) -> str:
    if value == "l":
        return "the last day of the month"
    base, _, nth = value.partition("#")
    last = base.startswith("l") and len(base) > 1
    base = base[1:] if last else base
    if base.isdigit():
        name = _DAYS[int(base)]
    else:
        name = next((day for day in _DAYS if day.lower().startswith(base)), base)
    if last:
        return f"the last {name} of the month"
    return f"the {_nth(int(nth))} {name} of the month" if nth.isdigit() else name


def _month(value: str) -> str:
    if value.isdigit():
        return calendar.month_name[int(value)]
    names = (name for name in calendar.month_name if name.lower().startswith(value) and name)
    return next(names, value)


def _step(field: str) -> int:
    """Return n of ``*/n``, 0 for anything else."""
    found = re.fullmatch(r"\*/(\d+)", field)
    return int(found[1]) if found else 0


def _numbers(field: str) -> bool:
    return all(part.isdigit() for part in field.split(","))


def _ordinal_free(step: int, unit: str) -> str:
    return unit if step == 1 else f"{step} {unit}s"


def _nth(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _and(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
