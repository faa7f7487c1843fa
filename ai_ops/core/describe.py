"""From a logged record to what went wrong. Agent and server both use it, so both see one fingerprint.

The record is redacted first; everything else is read from the redacted text, so that describing what
was already described gives the same answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ai_ops.core import stacktrace
from ai_ops.core.grouping import v1
from ai_ops.core.logline import LEVELS, split_prefix, text_level
from ai_ops.core.redaction import Redactor
from ai_ops.flow.event import ErrorDetail

_MESSAGE_LIMIT = 4096
_JSON_LIMIT = 1_000_000
_NAMED = re.compile(
    r"((?:[A-Za-z_]\w{0,63}\.){0,8}(?:[A-Za-z_]\w{0,127}(?:Error|Exception)|Exception)):\s(.*)", re.DOTALL
)
_BARE_MASK = re.compile(r"(:\s{0,4})(\*{3}[\w.]{0,4})(?=\s{0,4}[,}\]])")
_LOGFMT_MESSAGE = re.compile(r'(?:\A|\s)(?:msg|message)=(?:"((?:[^"\\]|\\.)*)"|(\S+))')
_MESSAGES = ("message", "msg", "event", "short_message", "text", "log", "error")
_TRACES = (
    "exc_info",
    "exception",
    "stack_trace",
    "stacktrace",
    "stack",
    "traceback",
    "full_message",
    "error",
    "err",
)
_LEVELS = (
    "level",
    "levelname",
    "severity",
    "log.level",
    "lvl",
    "level_name",
    "loglevel",
    "log_level",
    "@level",
)
_PINO = {10: "DEBUG", 20: "DEBUG", 30: "INFO", 40: "WARNING", 50: "ERROR", 60: "CRITICAL"}


class Description(NamedTuple):
    """What went wrong and how bad: one of DEBUG, INFO, WARNING, ERROR, CRITICAL, or '' when unsaid."""

    error: ErrorDetail
    level: str


def describe(raw: str, level_hint: str = "", *, redactor: Redactor | None = None) -> Description:
    """Describe one joined record. Never raises.

    Args:
        raw: the record as it was logged, several lines when it holds a trace.
        level_hint: the level when the source knows it better than the text.
        redactor: redaction with the caller's own rules and secrets.
    """
    text = (redactor or Redactor()).redact(raw)
    level = LEVELS.get(level_hint.strip().upper(), "") or level_of(text)
    body = _unwrap(text)
    trace = stacktrace.parse(body)
    if trace:
        language, kind, message, frames = trace.language, trace.exception_type, trace.message, trace.frames
    else:
        language, frames = "", ()
        kind, message = _plain(body)
    message = message[:_MESSAGE_LIMIT]
    error = ErrorDetail(
        raw_excerpt=text,
        language=language,
        exception_type=kind,
        message=message,
        frames=frames,
        fingerprint=v1.fingerprint(language, kind, message, frames, trace.cause_types if trace else ()),
        grouping_version=v1.VERSION,
    )
    return Description(error, level or ("ERROR" if trace else ""))


def level_of(text: str) -> str:
    """Return the level a record names, in words or as JSON, or ''."""
    record = _json(text)
    if record is None:
        return text_level(text)
    for name in _LEVELS:
        value = _value(record, name)
        if isinstance(value, str) and value.strip().upper() in LEVELS:
            return LEVELS[value.strip().upper()]
        if isinstance(value, int) and value in _PINO:
            return _PINO[value]
    return text_level(_unwrap(text)) if _unwrap(text) != text else ""


def _plain(body: str) -> tuple[str, str]:
    """Return (exception type, message) of a record without a trace."""
    lines = [line for line in body.splitlines() if line.strip()]
    if not lines:
        return "", ""
    logfmt = _LOGFMT_MESSAGE.search(lines[0][:8192])
    if logfmt and "level=" in lines[0]:
        message = logfmt.group(1) or logfmt.group(2) or ""
    else:
        message = split_prefix(lines[0])[1]
    message = "\n".join([message.strip(), *lines[1:]])
    named = _NAMED.match(message[:_MESSAGE_LIMIT])
    return (named.group(1), named.group(2)) if named else ("", message)


def _unwrap(text: str) -> str:
    """Return the words of a JSON record: its message, and its trace below it."""
    record = _json(text)
    if record is None:
        return text
    message = next(
        (found for name in _MESSAGES if isinstance(found := _value(record, name), str) and found), ""
    )
    trace = next((found for name in _TRACES if (found := _trace(_value(record, name)))), "")
    if not message and not trace:
        return text
    return message if not trace or trace in message else f"{message}\n{trace}"


def _trace(value: Any) -> str:
    if isinstance(value, Mapping):
        return next(
            (
                found
                for name in ("stack_trace", "stacktrace", "stack", "traceback")
                if (found := _trace(value.get(name)))
            ),
            "",
        )
    if isinstance(value, list):
        value = "\n".join(line.rstrip("\n") for line in value if isinstance(line, str))
    return value if isinstance(value, str) and "\n" in value else ""


def _value(record: Mapping[str, Any], name: str) -> Any:
    if name in record:
        return record[name]
    outer, dot, inner = name.partition(".")
    nested = record.get(outer)
    return nested.get(inner) if dot and isinstance(nested, Mapping) else None


def _json(text: str) -> Mapping[str, Any] | None:
    start = text.find("{")
    if (
        start < 0
        or len(text) > _JSON_LIMIT
        or not text.rstrip().endswith("}")
        or len(text[:start].strip()) > 256
    ):
        return None
    body = text[start:]
    # A number that was masked has lost its right to stand without quotes.
    for candidate in (body, _BARE_MASK.sub(r'\1"\2"', body)):
        try:
            record = json.loads(candidate)
        except (ValueError, RecursionError):
            continue
        return record if isinstance(record, dict) else None
    return None
