"""From a logged record to what went wrong. Agent and server both use it, so both see one fingerprint.

The record is redacted first; everything else is read from the redacted text, so that describing what
was already described gives the same answer.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ai_ops.core import jsonlog, stacktrace
from ai_ops.core.container import DOCKER_JSON, unwrap, without_container
from ai_ops.core.grouping import v1
from ai_ops.core.logline import LEVELS, split_prefix, text_level
from ai_ops.core.redaction import Redactor
from ai_ops.flow.event import ErrorDetail

_MESSAGE_LIMIT = 4096
_NAMED = re.compile(
    r"((?:[A-Za-z_]\w{0,63}\.){0,8}(?:[A-Za-z_]\w{0,127}(?:Error|Exception)|Exception)):\s(.*)", re.DOTALL
)
_LOGFMT_MESSAGE = re.compile(r'(?:\A|\s)(?:msg|message)=(?:"((?:[^"\\]|\\.)*)"|(\S+))')


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
    own = _own_lines(text)
    level = LEVELS.get(level_hint.strip().upper(), "") or level_of(own)
    record = jsonlog.record_of(own)
    body = (jsonlog.words_of(record) if record else "") or own
    named = jsonlog.exception_of(record) if record else None
    trace = stacktrace.parse(body)
    language = trace.language if trace else ""
    kind, message = (trace.exception_type, trace.message) if trace else _plain(body)
    if trace and not kind and not message:
        message = _plain(trace.header.split("\n", 1)[0])[1]
    if named and not kind:
        kind, message = named.type, named.message or message
    frames, causes = (trace.frames, trace.cause_types) if trace else ((), ())
    message = message[:_MESSAGE_LIMIT]
    error = ErrorDetail(
        raw_excerpt=text,
        language=language,
        exception_type=kind,
        message=message,
        frames=frames,
        fingerprint=v1.fingerprint(language, kind, message, frames, trace.cause_types if trace else ()),
        grouping_version=v1.VERSION,
        cause_types=causes,
    )
    return Description(error, level or ("ERROR" if trace else ""))


def level_of(text: str) -> str:
    """Return the level a record names, in words or as JSON, or ''."""
    record = jsonlog.record_of(text)
    if record is None:
        return text_level(text)
    words = jsonlog.words_of(record)
    return jsonlog.level_of(record) or (text_level(words) if words and words != text else "")


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


def _own_lines(text: str) -> str:
    """Return the application's own lines where Docker wrote each as JSON, or a runtime cut a long one."""
    if not text.startswith(DOCKER_JSON) and not unwrap(text.split("\n", 1)[0]).goes_on:
        return text
    return "\n".join(without_container(text.splitlines()))
