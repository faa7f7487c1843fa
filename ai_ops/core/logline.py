"""The head of a log line: where it came from, when, how bad, and where the message begins.

Loggers put their own words before the message, container runtimes and syslog theirs before those. The
joiner asks whether a line opens a record of its own; ``describe`` wants the message and the level. Both
work on text; bytes are read as latin-1, which never fails and leaves ASCII where it is.
"""

from __future__ import annotations

import re

from ai_ops.core.container import container_prefix

LEVELS = {
    "TRACE": "DEBUG",
    "FINE": "DEBUG",
    "FINER": "DEBUG",
    "FINEST": "DEBUG",
    "VERBOSE": "DEBUG",
    "TRCE": "DEBUG",
    "DBUG": "DEBUG",
    "DEBUG": "DEBUG",
    "DBG": "DEBUG",
    "CONFIG": "INFO",
    "INFO": "INFO",
    "INF": "INFO",
    "INFORMATION": "INFO",
    "NOTICE": "INFO",
    "WARN": "WARNING",
    "WRN": "WARNING",
    "WARNING": "WARNING",
    "ERROR": "ERROR",
    "ERR": "ERROR",
    "EROR": "ERROR",
    "SEVERE": "ERROR",
    "FAIL": "ERROR",
    "CRITICAL": "CRITICAL",
    "CRIT": "CRITICAL",
    "FATAL": "CRITICAL",
    "FTL": "CRITICAL",
    "ALERT": "CRITICAL",
    "EMERG": "CRITICAL",
    "EMERGENCY": "CRITICAL",
    "PANIC": "CRITICAL",
}
"""The words loggers use, and the five levels they stand for."""

_ALWAYS = "TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|SEVERE|CRIT(?:ICAL)?|FATAL|ALERT|EMERG|PANIC"
_DAY = r"(?:\d{4}[-/.]\d{2}[-/.]\d{2}|\d{2}[-/.](?:\d{2}|[A-Z][a-z]{2})[-/.]\d{2,4}|\d{8})"
_ZONE = r"(?:\s?(?:Z|UTC|GMT|[A-Z]{3,4}(?=\s)|[+-]\d{2}:?\d{2}))?"
_CLOCK = rf"\d{{1,2}}:\d{{2}}:\d{{2}}(?:[.,:]\d{{1,9}})?(?:\s?[AP]M)?{_ZONE}"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
TIME = (
    rf"(?:{_DAY}[T :,]{{1,2}}{_CLOCK}|{_DAY}(?![\w-])|"
    rf"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?\s)?{_MONTH}\s{{1,2}}\d{{1,2}},?\s(?:\d{{4}},?\s)?{_CLOCK}(?:\s\d{{4}}(?!\d))?|"
    rf"\d{{1,2}}\s{_MONTH}\s\d{{4}}\s{_CLOCK}|{_CLOCK}|1[5-9]\d{{8}}(?:\.\d{{1,9}}|\d{{3}})?(?![\w]))"
)
_LEVEL = rf"(?:{_ALWAYS})"
_ANY_LEVEL = "|".join(sorted(LEVELS, key=len, reverse=True))

RECORD_START = re.compile(
    rf"[\[(<|]?\s?(?:{TIME})|"
    rf"[\[(<|]?\s?{_LEVEL}(?=[\s:|\])>/-])|"
    rf"\[(?:(?i:{_ANY_LEVEL}))\]|"
    r"[IWEF]\d{4}\s\d{2}:|<\d{1,3}>|[DIWEFA],\s\[\d{4}-|(?:trce|dbug|info|warn|fail|crit):\s|"
    rf"\w[\w.-]{{0,40}}\s?[-:]\s?{_LEVEL}[\s:]|"
    r"\{\s?\"|"
    r"(?:time|ts|level|timestamp)=\S"
)
"""Matches at the first column of a line that opens a record of its own."""


def begins_record(line: str) -> bool:
    """Return whether a line, seen alone, opens a log record of its own."""
    return RECORD_START.match(line) is not None


_STAMP = re.compile(rf"\s*[\[(]?{TIME}[\])]?\s*[-|:,]?\s*")
_LEVEL_WORD = re.compile(
    rf"\s*(?:[\[(<|]\s?(?i:{_ANY_LEVEL})\s?[\])>|]|(?:{_ANY_LEVEL})(?=[\s:|\])/,-]))(?:/[\w-]+\])?\s*[-|:]?\s*"
)
_BRACKET = re.compile(r"\s*(?:\[[^\[\]]{1,120}\]|\([\w./:@ -]{1,80}\))\s*[-|:]?\s*")
_PROCESS = re.compile(r"\s*(?:pid=?\s?)?\d+(?:#\d+)?(?:\s---|:|\s[-|])\s*|\s*---\s*|\s*\*\d+\s")
_NAME = re.compile(
    r"\s*(?![\w.$]*(?:Error|Exception|Warning)\b:)(?:in\s)?"
    r"(?:[A-Za-z_$][\w$-]*(?:[.:/][\w$<>-]+)+(?:\.\.\.)?(?::\d+)?(?:\s?[-|]\s|\s?:\s|\s?\]\s)"
    r"|[A-Za-z_$][\w$<>-]*(?:\s[-|]\s|\s:\s)"
    r"|[a-z_][\w-]*:\s?(?=\S))"
)
# Loggers whose whole head has one shape: glog, and Ruby's.
_WHOLE = re.compile(
    r"[IWEF]\d{4}\s[\d:.]+\s+\d+\s[^\s\]]{1,255}\]\s|"
    r"[DIWEFA],\s\[\d{4}-[^\]\n]{1,80}\]\s{1,4}[A-Z]{3,7}\s--\s[^:\n]{0,80}:\s"
)


def split_prefix(line: str) -> tuple[str, str]:
    """Return (prefix, message) of one line. The prefix is '' when the line has none."""
    head = line[:1024]
    at = len(container_prefix(head))
    found = _WHOLE.match(head, at)
    if found:
        return line[: found.end()], line[found.end() :]
    anchored = False
    for _ in range(12):
        found = _STAMP.match(head, at) or _LEVEL_WORD.match(head, at)
        if found:
            anchored = True
        elif anchored:
            found = _BRACKET.match(head, at) or _PROCESS.match(head, at) or _NAME.match(head, at)
        elif at == 0:
            found = re.compile(rf"\[[^\[\]]{{1,120}}\]\s+(?={_LEVEL}\s)").match(head)
        if not found or found.end() == at or found.end() >= len(head.rstrip()):
            break
        at = found.end()
    return line[:at], line[at:]


_DATED = re.compile(rf"{_STAMP.pattern}(?:\[[^\[\]]{{1,120}}\]\s*){{0,4}}(?:[\w.$-]{{1,120}}\s-\s)?")


def behind_time(line: str) -> int:
    """Return the column behind a line's time, its bracketed words and a logger's name that a dash ends.

    0 where no time stands first, and where a level is among those words: then what a colon ends is a logger's
    name or the message's own, as ``split_prefix`` says. Without one it may be an exception's.
    """
    found = _DATED.match(line)
    return found.end() if found and not text_level(found.group()) else 0


_FIRST_LEVEL = re.compile(
    rf"(?<![\w.-])(?:{_ALWAYS})(?![\w.-])|[\[|<]\s?(?i:{_ANY_LEVEL})\s?[\]|>]|"
    rf"\b(?:level|lvl|severity|levelname|log\.level)[\"']?\s?[=:]\s?[\"']?(?i:{_ANY_LEVEL})\b"
)
_LEADING = re.compile(rf"\s*(?i:{_ANY_LEVEL})\b\s?[:\]-]")
_GLOG_LEVEL = re.compile(r"([IWEF])\d{4}\s\d{2}:")
_ERROR_NAME = re.compile(
    r"Traceback \(most recent call last\)|\b[A-Za-z]\w*(?:Error|Exception)\b|\bException\b"
)


def text_level(text: str) -> str:
    """Return the level a line of text names, one of the five, or '' when it names none."""
    head = text.split("\n", 1)[0][:512]
    found = _GLOG_LEVEL.match(head)
    if found:
        return {"I": "INFO", "W": "WARNING", "E": "ERROR", "F": "CRITICAL"}[found.group(1)]
    found = _FIRST_LEVEL.search(head) or _LEADING.match(split_prefix(head)[1])
    if found:
        words: list[str] = re.findall(r"[A-Za-z]+", found.group())
        return LEVELS.get(words[-1].upper(), "")
    return "ERROR" if _ERROR_NAME.search(text[:4096]) else ""
