"""Which lines begin an error.

A log is mostly lines without an error, so whole chunks are searched for the few byte strings that an error
can hold, and a line is looked at only when one of them is in it. Upper-casing the chunk first costs
little and lets ``ERROR``, ``Error`` and ``error`` share one search.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

from ai_ops.core import stacktrace

DEFAULT_KEYWORDS = ("ERROR", "Exception", "CRITICAL")

# Every trace and every level we know holds one of these, upper-cased.
_TELLTALES = (*(needle.upper() for needle in stacktrace.NEEDLES), b"ERROR", b"FATAL", b"PANIC")
_NOWHERE = 1 << 62
_LEVEL_WINDOW = 200

_LEVEL = re.compile(
    rb"\b(?:(?P<low>TRACE|DEBUG|INFO|NOTICE)|(?P<warn>WARN(?:ING)?)"
    rb"|(?P<error>ERROR|SEVERE|FATAL|CRITICAL|CRIT|ALERT|EMERG|EMERGENCY|PANIC))\b"
)
_FIELD_LEVEL = re.compile(
    rb"""["']?\b(?:level|severity|levelname|log\.level|lvl)["']?\s*[:=]\s*["']?"""
    rb"""(?:(?P<error>error|fatal|critical|panic|severe)|(?P<low>trace|debug|info|notice))\b"""
    rb"""|\[(?:\w+:)?(?P<bracket>error|fatal)\]""",
    re.IGNORECASE,
)


class LogFilter(StrEnum):
    """How readily a line is taken for an error.

    ``strict``: a trace, or a level of error and above. ``balanced``: also a keyword, unless the line says a level
    below warning. ``lenient``: any keyword, any trace.
    """

    STRICT = "strict"
    BALANCED = "balanced"
    LENIENT = "lenient"


class Hits:
    """The places in one chunk where an error may be; each needle's next place is found once."""

    __slots__ = ("_at", "_needles", "_text")

    def __init__(self, text: bytes, needles: tuple[bytes, ...]) -> None:
        self._text = text.upper()
        self._needles = needles
        self._at = [-1] * len(needles)

    def next(self, position: int) -> int:
        """Return the first hit at or after ``position``, or -1."""
        at = self._at
        nearest = _NOWHERE
        for number, place in enumerate(at):
            if place < position:
                place = self._text.find(self._needles[number], position)
                if place < 0:
                    place = _NOWHERE
                at[number] = place
            if place < nearest:
                nearest = place
        return nearest if nearest != _NOWHERE else -1


class Detector:
    """Decides which lines begin an error.

    Args:
        keywords: byte-exact words that mark an error; words beyond the defaults are a person's own and
            count on any line.
        log_filter: how readily.
    """

    def __init__(
        self, keywords: Iterable[str] = DEFAULT_KEYWORDS, log_filter: LogFilter = LogFilter.BALANCED
    ) -> None:
        words = [word for word in keywords if word]
        self._keywords = tuple(word.encode() for word in words)
        self._own = tuple(word.encode() for word in words if word not in DEFAULT_KEYWORDS)
        self._filter = log_filter
        wanted = {word.upper() for word in self._keywords} | set(_TELLTALES)
        # A needle that holds another one is found by it.
        self.needles = tuple(sorted(w for w in wanted if not any(o != w and o in w for o in wanted)))

    def hits(self, text: bytes) -> Hits:
        """Return the places of ``text`` where an error may be."""
        return Hits(text, self.needles)

    def is_error(self, line: bytes) -> bool:
        """Whether a line that was hit begins an error."""
        if any(word in line for word in self._own):
            return True
        keyword = any(word in line for word in self._keywords)
        if keyword and self._filter is LogFilter.LENIENT:
            return True
        level = said_level(line)
        if level == "error":
            return True
        if level == "low" and self._filter is not LogFilter.LENIENT:
            return False
        if keyword and self._filter is LogFilter.BALANCED:
            return True
        return stacktrace.start(line) is not None


def said_level(line: bytes) -> str:
    """Return what the line itself says about its level: ``error``, ``warning``, ``low`` or nothing."""
    found = _FIELD_LEVEL.search(line) if b"evel" in line or b"everity" in line or b"[" in line else None
    if found:
        return "low" if found.group("low") else "error"
    found = _LEVEL.search(line, 0, _LEVEL_WINDOW)
    if not found:
        return ""
    return {"low": "low", "warn": "warning", "error": "error"}[found.lastgroup or "low"]
