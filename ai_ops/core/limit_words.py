"""What the service says of a limit in words: which one it is, and when it ends.

Only ever asked about text of the service or its CLI, never about a model's answer.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_WEEK = re.compile(r"seven_day|week", re.IGNORECASE)
_QUOTA = re.compile(
    r"specified API usage limits|spend limit|usage credit|insufficient_quota|exceeded your [\w ]{0,30}quota",
    re.I,
)
_EPOCH = re.compile(r"\|(\d{9,11})\b")
_REGAIN = re.compile(r"regain access on (\d{4})-(\d\d)-(\d\d) at (\d\d):(\d\d) UTC", re.IGNORECASE)
_RESETS = re.compile(
    r"resets\s+(?:(?P<month>[A-Z][a-z]{2}) (?P<day>\d{1,2})(?:,? (?P<year>\d{4}))?(?:,| at)?\s*)?"
    r"(?:(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?\s*(?P<half>[ap]m)\s*\((?P<zone>[A-Za-z_+\-/0-9]{1,50})\))?",
    re.IGNORECASE,
)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


def window_code(words: str) -> str:
    """Return the failure that a spent window of a subscription is, by its type or its words."""
    return "model_weekly_limit" if _WEEK.search(words) else "model_session_limit"


def is_quota(words: str) -> bool:
    """Return whether the account's own limit on money is meant, which is not its credit."""
    return bool(_QUOTA.search(words))


def reset_from_words(words: str, now: datetime) -> float | None:
    """Return the seconds until the reset that words name, or None.

    Known forms: ``limit reached|<epoch>``, ``resets 12:37pm (UTC)`` (the next such time), ``resets Oct 6, 1pm
    (Europe/Berlin)``, ``resets Aug 8``, ``regain access on 2026-12-01 at 00:00 UTC``.
    """
    try:
        at = _moment(words, now.astimezone(UTC))
    except (ValueError, OverflowError):  # the 31st of June
        return None
    return None if at is None else max(0.0, (at - now).total_seconds())


def _moment(words: str, now: datetime) -> datetime | None:
    if found := _EPOCH.search(words):
        return datetime.fromtimestamp(float(found[1]), UTC)
    if found := _REGAIN.search(words):
        year, month, day, hour, minute = map(int, found.groups())
        return datetime(year, month, day, hour, minute, tzinfo=UTC)
    for found in _RESETS.finditer(words):
        if found["month"] or found["hour"]:
            return _next(found, now)
    return None


def _next(found: re.Match[str], now: datetime) -> datetime | None:
    """Return the next moment that is like this."""
    zone = _zone(found["zone"] or "UTC")
    if zone is None:
        return None
    hour = int(found["hour"]) % 12 + (12 if found["half"].lower() == "pm" else 0) if found["hour"] else 0
    here = now.astimezone(zone)
    at = here.replace(hour=hour, minute=int(found["minute"] or 0), second=0, microsecond=0)
    if not found["month"]:
        return at if at > now else at + timedelta(days=1)
    month = found["month"].lower()
    if month not in _MONTHS:
        return None
    at = at.replace(
        year=int(found["year"] or here.year), month=_MONTHS.index(month) + 1, day=int(found["day"])
    )
    # Said without a year, December's words speak of January too.
    late = not found["year"] and at < now - timedelta(days=180)
    return at.replace(year=at.year + 1) if late else at


def _zone(name: str) -> tzinfo | None:
    try:
        return UTC if name.upper() == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
