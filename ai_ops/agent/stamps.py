"""The time that a log line names, in the ways that loggers, syslog and web servers write it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

STAMPED_BYTES = 200
"""A time is looked for so far into a record."""
_AHEAD = timedelta(days=1)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = "(?P<month>" + "|".join(_MONTHS) + ")"
_CLOCK = r"(?P<clock>\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)"
_ZONE = r"(?P<zone>Z|[+-]\d\d:?\d\d)"
# ISO 8601 and nginx; access logs; syslog and Apache's error log.
_FORMS = tuple(
    re.compile(form.encode())
    for form in (
        rf"(?P<year>\d{{4}})[-/](?P<number>\d\d)[-/](?P<day>\d\d)[T ]{_CLOCK}(?:\s?{_ZONE})?",
        rf"\b(?P<day>\d\d)/{_MONTH}/(?P<year>\d{{4}}):{_CLOCK}(?:\s{_ZONE})?",
        rf"\b{_MONTH}\s{{1,2}}(?P<day>\d{{1,2}})\s{_CLOCK}(?:\s(?P<year>\d{{4}})\b)?",
    )
)


def stamped(raw: bytes, now: float) -> datetime | None:
    """Return the time near the beginning of a record, in UTC, or None when it names none.

    A time without a zone is this host's. One without a year, as syslog's, is the latest such day that is
    not ahead of ``now``, a Unix time.
    """
    found = [stamp for form in _FORMS if (stamp := form.search(raw, 0, STAMPED_BYTES))]
    if not found:
        return None
    stamp = min(found, key=re.Match.start)
    said = {name: value.decode() for name, value in stamp.groupdict().items() if value}
    try:
        latest = datetime.fromtimestamp(now, UTC) + _AHEAD
        if "year" in said:
            return _moment(said, int(said["year"]))
        moment = _moment(said, latest.year)
        return moment if moment <= latest else _moment(said, latest.year - 1)
    except (ValueError, OverflowError, OSError):
        return None


def _moment(said: dict[str, str], year: int) -> datetime:
    month = int(said["number"]) if "number" in said else _MONTHS.index(said["month"]) + 1
    clock = re.sub(r"(\.\d{6})\d+", r"\1", said["clock"].replace(",", "."))
    text = f"{year:04}-{month:02}-{int(said['day']):02}T{clock}{said.get('zone', '')}"
    return datetime.fromisoformat(text).astimezone(UTC)
