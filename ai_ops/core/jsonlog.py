"""Records that are one JSON object: their level, their words, and the exception inside a field.

Loggers agree on nothing here, so each thing is looked for under the names that are in use, flat
(``exception.stacktrace``) or nested. An exception given as data is written out the way its language
prints it, so that one set of parsers serves both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ai_ops.core.logline import LEVELS

_LIMIT = 1_000_000
_DEEPEST = 8
_BARE_MASK = re.compile(r"(:\s{0,4})(\*{3}[\w.]{0,4})(?=\s{0,4}[,}\]])")
_MESSAGE_NAMES = """
message msg event short_message @m @mt Message RenderedMessage text log body error textPayload err
"""
_TRACE_NAMES = """
exc_info exception Exception @x stack_trace stacktrace stackTrace stack traceback thrown throwable
full_message error err exception.stacktrace error.stack_trace error.stack attributes.exception.stacktrace
context.exception fields.error
"""
_INNER_NAMES = """
stack_trace stacktrace stackTrace stack traceback extendedStackTrace StackTrace StackTraceString backtrace
trace
"""
_LEVEL_NAMES = """
level levelname severity log.level lvl level_name loglevel log_level @level @l Level LogLevel severityText
severity_text
"""
_MESSAGES = tuple(_MESSAGE_NAMES.split())
_TRACES = tuple(_TRACE_NAMES.split())
_INNER_TRACES = tuple(_INNER_NAMES.split())
_LEVELS = tuple(_LEVEL_NAMES.split())
_KINDS = ("type", "class", "name", "kind", "exc_type", "ClassName", "className")
_SAYINGS = ("message", "msg", "exc_value", "value", "Message")
_PINO = {10: "DEBUG", 20: "DEBUG", 30: "INFO", 40: "WARNING", 50: "ERROR", 60: "CRITICAL"}
_TYPE = re.compile(r"[A-Za-z_$][\w.$\\:`+/*-]{0,300}")


class Named(NamedTuple):
    """An exception's type and message, as a record says them in fields of their own."""

    type: str
    message: str


Record = Mapping[str, Any]


def record_of(text: str) -> Record | None:
    """Return the JSON object that a line is, behind at most a short prefix; None when it is none."""
    start = text.find("{")
    if start < 0 or len(text) > _LIMIT or not text.rstrip().endswith("}") or len(text[:start].strip()) > 256:
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


def level_of(record: Record) -> str:
    """Return the level a record names, one of the five, or ''."""
    for name in _LEVELS:
        value = _value(record, name)
        if isinstance(value, str) and value.strip().upper() in LEVELS:
            return LEVELS[value.strip().upper()]
        if isinstance(value, int) and value in _PINO:
            return _PINO[value]
    return ""


def words_of(record: Record) -> str:
    """Return the message of a record with its trace below it, '' when it has neither."""
    message = next(
        (found for name in _MESSAGES if isinstance(found := _value(record, name), str) and found), ""
    )
    trace = next((found for name in _TRACES if (found := _trace(_value(record, name)))), "")
    return message if not trace or trace in message else f"{message}\n{trace}"


def exception_of(record: Record) -> Named | None:
    """Return the exception that a record names in fields of their own, or None."""
    flat = Named(_text(_value(record, "exception.type")), _text(_value(record, "exception.message")))
    flat = (
        flat
        if flat.type
        else Named(_text(_value(record, "error.type")), _text(_value(record, "error.message")))
    )
    if flat.type:
        return flat
    for name in ("err", "error", "exception", "exc_info", "thrown", "Exception", "context.exception"):
        value = _value(record, name)
        if isinstance(value, Mapping) and (kind := _first(value, _KINDS)) and _TYPE.fullmatch(kind):
            return Named(kind, _first(value, _SAYINGS))
    return None


def _trace(value: Any) -> str:
    """Return a trace of several lines in a field: as text, as lines, or given as data."""
    if isinstance(value, Mapping):
        return _monolog(value) or next(
            (found for name in _INNER_TRACES if (found := _trace(value.get(name)))), ""
        )
    if isinstance(value, list):
        if value and isinstance(value[0], Mapping):
            return "\n".join(_structlog(value))
        value = "\n".join(line.rstrip("\n") for line in value if isinstance(line, str))
    return value if isinstance(value, str) and "\n" in value else ""


def _structlog(chain: list[Any]) -> Iterator[str]:
    """Write a traceback that was given as data, the exception that escaped first, as Python prints it."""
    for at, one in enumerate(reversed(chain[:_DEEPEST])):
        frames = one.get("frames") if isinstance(one, Mapping) else None
        if not isinstance(frames, list):
            return
        if at:
            yield from ("", "The above exception was the direct cause of the following exception:", "")
        yield "Traceback (most recent call last):"
        for frame in frames:
            if isinstance(frame, Mapping):
                file, name = _line(frame.get("filename")), _line(frame.get("name"))
                yield f'  File "{file}", line {_number(frame.get("lineno"))}, in {name}'
        yield f"{_line(one.get('exc_type'))}: {_line(one.get('exc_value'))}"


def _monolog(value: Record) -> str:
    """Write what Monolog's JSON gives (class, message, file, a trace of places) as PHP prints it."""
    lines: list[str] = []
    one: Any = value
    for _ in range(_DEEPEST):
        if not isinstance(one, Mapping) or not {"class", "message", "file"} <= one.keys():
            break
        head = f"[object] ({_line(one['class'])}(code: 0): {_line(one['message'])} at {_line(one['file'])})"
        lines += [head if not lines else f"[previous exception] {head}", "[stacktrace]"]
        places = one.get("trace")
        for at, place in enumerate(places if isinstance(places, list) else ()):
            file, _, number = _line(place).rpartition(":")
            lines += [f"#{at} {file}({_number(number)}): "] if file else []
        one = one.get("previous")
    return "\n".join(lines)


def _line(value: Any) -> str:
    return value.replace("\n", " ").replace("\r", " ")[:4096] if isinstance(value, str) else ""


def _number(value: Any) -> int:
    text = str(value) if isinstance(value, int | str) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _first(value: Record, names: tuple[str, ...]) -> str:
    return next((found for name in names if (found := _text(value.get(name)))), "")


def _value(record: Record, name: str) -> Any:
    """Return a field by its name, in which a dot may also be a level of nesting."""
    if name in record:
        return record[name]
    outer, dot, inner = name.partition(".")
    nested = record.get(outer)
    return _value(nested, inner) if dot and isinstance(nested, Mapping) else None
