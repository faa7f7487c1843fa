"""Which lines begin an error.

A log is mostly lines without an error, so whole chunks are searched for the few byte strings that an error
can hold, and a line is looked at only when one of them is in it. Each string is one pass over the chunk,
so the chunk is folded first: case goes, and a few letters become one, so that ``ERROR`` and ``error``, and
``FATAL``, ``PANIC`` and ``CRITICAL``, are found by one pass. What the fold confuses, the look at the line
sorts out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

from ai_ops.core import stacktrace
from ai_ops.core.container import DOCKER_JSON, unwrap

DEFAULT_KEYWORDS = ("ERROR", "Exception", "CRITICAL")

# Every level of trouble, and every trace that can stand alone, holds one of these in some case.
_TELLTALES = (b"ERROR", b"EXCEPTION", b"FATAL", b"PANIC", b"TRACEBACK (MOST RECENT CALL LAST)")
# F, R → P; I → A; N → T; C → L: fatal, panic and (c)ritical(al) all become PATAL.
_FOLD = bytes(range(256)).upper().translate(bytes.maketrans(b"FRINC", b"PPATL"))
_DOCKER_JSON = DOCKER_JSON.encode()
_NOWHERE = 1 << 62
_LEVEL_WINDOW = 200

_TROUBLE = rb"ERROR|SEVERE|FATAL|CRITICAL|CRIT|ALERT|EMERG|EMERGENCY|PANIC"
_LEVEL = re.compile(
    rb"\b(?:(?P<low>TRACE|DEBUG|INFO|NOTICE)|(?P<warn>WARN(?:ING)?)"
    rb"|(?P<error>" + _TROUBLE + rb"))\b"
)
# Mostly a level of trouble is the first word, behind a time.
_ERROR_FIRST = re.compile(rb"(?!\{)[^A-Za-z]*+\b(?:" + _TROUBLE + rb")\b")
_FIELD_LEVEL = re.compile(
    rb"""["']?\b(?:level|severity|levelname|log\.level|lvl)["']?\s*[:=]\s*["']?"""
    rb"""(?:(?P<error>error|fatal|critical|panic|severe)|(?P<low>trace|debug|info|notice))\b"""
    rb"""|\[(?:\w+:)?(?P<bracket>error|fatal)\]|"level":\s?(?:[56]0|(?P<quiet>[123]0))\b""",
    re.IGNORECASE,
)


_SAID = {"low": "low", "warn": "warning", "error": "error"}


class LogFilter(StrEnum):
    """How readily a line is taken for an error.

    ``strict``: a trace, or a level of error and above. ``balanced``: also a keyword, unless the line says
    a level below warning. ``lenient``: any keyword, any trace.
    """

    STRICT = "strict"
    BALANCED = "balanced"
    LENIENT = "lenient"


class Hits:
    """The places in one chunk where an error may be; each needle's next place is found once."""

    __slots__ = ("_at", "_find", "_needles")

    def __init__(self, text: bytes, needles: tuple[bytes, ...]) -> None:
        self._find = text.translate(_FOLD).find
        self._needles = needles
        self._at = [-1] * len(needles)

    def next(self, position: int) -> int:
        """Return the first hit at or after ``position``, or -1."""
        at = self._at
        for number, place in enumerate(at):
            if place < position:
                place = self._find(self._needles[number], position)
                at[number] = place if place >= 0 else _NOWHERE
        nearest = min(at)
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
        wanted = {word.translate(_FOLD) for word in (*self._keywords, *_TELLTALES)}
        # A needle that holds another one is found by it.
        self.needles = tuple(sorted(w for w in wanted if not any(o != w and o in w for o in wanted)))
        self._last = (b"", False)

    def hits(self, text: bytes) -> Hits:
        """Return the places of ``text`` where an error may be."""
        return Hits(text, self.needles)

    def is_error(self, line: bytes) -> bool:
        """Whether a line that was hit begins an error."""
        asked, answer = self._last
        if line != asked:  # what ends a record is asked about twice: it may begin the next one
            answer = self._decided(line)
            self._last = (line, answer)
        return answer

    def _decided(self, line: bytes) -> bool:
        if _ERROR_FIRST.match(line, 0, _LEVEL_WINDOW) and b"level=" not in line:
            return True
        if line.startswith(_DOCKER_JSON):
            line = unwrap(line.decode("latin-1")).text.encode()
        if self._own and _holds_any(line, self._own):
            return True
        keyword = _holds_any(line, self._keywords)
        if keyword and self._filter is LogFilter.LENIENT:
            return True
        level = said_level(line)
        if level == "error":
            return True
        if level == "low" and self._filter is not LogFilter.LENIENT:
            return False
        if keyword and self._filter is LogFilter.BALANCED:
            return True
        return stacktrace.may_begin(line)


def _holds_any(line: bytes, words: tuple[bytes, ...]) -> bool:
    for word in words:  # noqa: SIM110 - a plain loop: this is done for every hit
        if word in line:
            return True
    return False


def said_level(line: bytes) -> str:
    """Return what the line itself says about its level: ``error``, ``warning``, ``low`` or nothing."""
    structured = line.startswith(b"{") or b"level=" in line
    if structured and (said := _field_level(line)):
        return said
    found = _LEVEL.search(line, 0, _LEVEL_WINDOW)
    if found:
        return _SAID[found.lastgroup or ""]
    return "" if structured else _field_level(line)


def _field_level(line: bytes) -> str:
    if b"[" not in line and b"evel" not in line and b"everity" not in line and b"lvl" not in line:
        return ""
    found = _FIELD_LEVEL.search(line)
    return "" if not found else "low" if found.group("low") or found.group("quiet") else "error"
