"""Which lines begin an error.

A log is mostly lines without an error, so whole chunks are searched for the few words that an error can hold
(``monitoring.search``), and a line is looked at only when one of them is in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from enum import StrEnum

from ai_ops.core import stacktrace
from ai_ops.core.container import DOCKER_JSON, unwrap
from ai_ops.monitoring.search import Hits, search_of

DEFAULT_KEYWORDS = ("ERROR", "Exception", "CRITICAL")

# A call of Java's, .NET's or JavaScript's, also as Docker writes it: the line before it may be an error.
_CALLS = (b"\tAT ", b"\\TAT ", b"   AT ")
# Every level of trouble, and every trace that can stand alone, holds one of these in some case. Ruby's names
# its exception's class alone, and many are called like Errno::ENOENT; Rails announces causes.
_TELLTALES = (
    b"ERROR",
    b"EXCEPTION",
    b"FATAL",
    b"PANIC",
    b"CRITICAL",
    b"TRACEBACK (MOST RECENT CALL LAST)",
    b":IN ",
    b"CAUSES:",
    b"INFORMATION FOR: ",
    *_CALLS,
)
_DOCKER_JSON = DOCKER_JSON.encode()
_LEVEL_WINDOW = 200
_ESCAPED = re.compile(r"\\u([0-9a-f]{4})")

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


class Detector:
    """Decides which lines begin an error.

    Args:
        keywords: words that mark an error, in this case of letters; words beyond the defaults are a person's
            own and count on any line.
        log_filter: how readily.
    """

    def __init__(
        self, keywords: Iterable[str] = DEFAULT_KEYWORDS, log_filter: LogFilter = LogFilter.BALANCED
    ) -> None:
        words = [word for word in keywords if word]
        self._keywords = _spelled(words)
        self._own = _spelled(word for word in words if word not in DEFAULT_KEYWORDS)
        self._filter = log_filter
        self._search = search_of((*self._keywords, *_TELLTALES))
        self._last = (b"", False)

    def hits(self, text: bytes) -> Hits:
        """Return the places of ``text`` where an error may be."""
        return self._search.hits(text)

    def is_error(self, line: bytes) -> bool:
        """Whether a line that was hit begins an error."""
        if _ERROR_FIRST.match(line, 0, _LEVEL_WINDOW) and b"level=" not in line:
            return True
        asked, answer = self._last
        if line != asked:  # what ends a record is asked about twice: it may begin the next one
            answer = self._decided(line)
            self._last = (line, answer)
        return answer

    def _decided(self, line: bytes) -> bool:
        if line.startswith(_DOCKER_JSON):
            line = unwrap(line.decode("utf-8", "replace")).text.encode("utf-8", "replace")
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


def _spelled(words: Iterable[str]) -> tuple[bytes, ...]:
    """Return words as logs write them: in UTF-8, in GBK, and as JSON that is kept to ASCII."""
    found: dict[bytes, None] = {}
    for word in words:
        in_json = json.dumps(word)[1:-1]
        capital = _ESCAPED.sub(lambda escaped: rf"\u{escaped.group(1).upper()}", in_json)
        for spelling, encoding in (
            (word, "utf-8"),
            (word, "gb18030"),
            (in_json, "ascii"),
            (capital, "ascii"),
        ):
            found[spelling.encode(encoding, "replace")] = None
    return tuple(found)


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
