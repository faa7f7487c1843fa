"""Log records of OpenTelemetry: the errors among them, as our events."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ai_ops.core.logline import LEVELS
from ai_ops.server.senders.mapping import Sender, clean, items, mapping, text, wire_event

_ERROR, _FATAL = 17, 21
_LOUD = ("ERROR", "CRITICAL")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_DEPTH = 20
_LANGUAGES = {
    "python": "python",
    "java": "java",
    "nodejs": "javascript",
    "webjs": "javascript",
    "go": "go",
    "ruby": "ruby",
    "php": "php",
    "dotnet": "csharp",
    "rust": "rust",
}
_WHOLE = re.compile(r"-?[0-9]{1,19}")


@dataclass(slots=True)
class Read:
    """What a request held: events, records that are no errors, and how many of services nobody knows."""

    events: list[dict[str, Any]] = field(default_factory=list)
    dropped: int = 0
    unmapped: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Resource:
    """What all records of a group share; the digest is taken once, however many they are."""

    attributes: Mapping[str, Any]
    service: str
    digest: str

    @classmethod
    def of(cls, group: Any) -> _Resource:
        attributes = _attributes(mapping(mapping(group).get("resource")).get("attributes"))
        return cls(attributes, text(attributes.get("service.name")), _digest(attributes))

    def said(self, *names: str) -> str:
        return next(filter(None, (text(self.attributes.get(name)) for name in names)), "")


def read_logs(request: Any, find: Callable[[str], Sender | None], now: datetime) -> Read:
    """Return the errors of an ``ExportLogsServiceRequest`` in the shape of its JSON form.

    Args:
        request: the parsed body.
        find: a service name's sender.
        now: counts where a record says no time.
    """
    read = Read()
    seen: Counter[str] = Counter()
    for group in items(mapping(request).get("resourceLogs")):
        resource = _Resource.of(group)
        sender = find(resource.service)
        for record in _records(group):
            level = _level(record)
            if level is None:
                read.dropped += 1
            elif sender is None:
                read.unmapped[resource.service] += 1
            else:
                read.events.append(_event(record, resource, sender, level, seen, now))
    return read


def _records(group: Any) -> Iterator[dict[str, Any]]:
    for scope in items(mapping(group).get("scopeLogs")):
        for record in items(mapping(scope).get("logRecords")):
            yield mapping(record)


def _level(record: Mapping[str, Any]) -> str | None:
    """Return the level of an error; None for what is none. An exception without a level is one."""
    number = _integer(record.get("severityNumber"))
    if number:
        return None if number < _ERROR else "ERROR" if number < _FATAL else "CRITICAL"
    said = LEVELS.get(text(record.get("severityText")).strip().upper(), "")
    if said:
        return said if said in _LOUD else None
    names = {text(mapping(item).get("key")) for item in items(record.get("attributes"))}
    return "ERROR" if names & {"exception.type", "exception.stacktrace"} else None


def _event(
    record: Mapping[str, Any],
    resource: _Resource,
    sender: Sender,
    level: str,
    seen: Counter[str],
    now: datetime,
) -> dict[str, Any]:
    attributes, body = _attributes(record.get("attributes")), _value(record.get("body"), 0)
    at, observed = _integer(record.get("timeUnixNano")), _integer(record.get("observedTimeUnixNano"))
    name = _identity(record, resource, body, attributes)
    seen[name] += 1
    return wire_event(
        sender,
        identity=f"{name}\0{seen[name]}",
        path=f"otlp:{resource.service}",
        occurred_at=_moment(at or observed, now),
        excerpt=_excerpt(_words(body), attributes),
        level=level,
        error=_error(resource, _words(body), attributes),
        node=resource.said("host.name", "service.instance.id"),
        service=resource.service,
        environment=resource.said("deployment.environment.name", "deployment.environment"),
        release=resource.said("service.version"),
    )


def _identity(
    record: Mapping[str, Any], resource: _Resource, body: Any, attributes: Mapping[str, Any]
) -> str:
    """Return a digest of all that a record says.

    It has no id. An exporter that repeats a request repeats every field, and two records that differ in
    any are two: many clocks stop at the second, so that the time and the words alone would not tell them
    apart. Records of one request that say the same are numbered by the caller.
    """
    numbers = [
        _integer(record.get(key)) for key in ("timeUnixNano", "observedTimeUnixNano", "severityNumber")
    ]
    words = [text(record.get(key)) for key in ("severityText", "traceId", "spanId")]
    return _digest([resource.digest, numbers, words, body, attributes])


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _excerpt(body: str, attributes: Mapping[str, Any]) -> str:
    """Write a record as a logger would: its message, and its trace below."""
    trace = text(attributes.get("exception.stacktrace")).strip("\n")
    kind, words = text(attributes.get("exception.type")), text(attributes.get("exception.message"))
    if not trace and kind:
        trace = f"{kind}: {words or body}"
        body = "" if trace.endswith(body) else body
    if not body and not trace:
        return "an error without a message"
    return body if trace in body else f"{body}\n{trace}".strip("\n")


def _error(resource: _Resource, body: str, attributes: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the exception that a record names without a trace; a trace is read, and says more."""
    kind = text(attributes.get("exception.type"))
    if not kind or text(attributes.get("exception.stacktrace")).strip():
        return None
    return {
        "language": _LANGUAGES.get(resource.said("telemetry.sdk.language"), ""),
        "exception_type": clean(kind, 512),
        "message": clean(text(attributes.get("exception.message")) or body),
    }


def _moment(at: int, now: datetime) -> str:
    try:
        found = _EPOCH + timedelta(microseconds=at // 1000)
    except OverflowError:
        found = now
    return (found if at and 2000 <= found.year <= 2200 else now).isoformat()


def _integer(value: Any) -> int:
    """Return a whole number, which JSON writes as text when it is long."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 20:
        return int(value)
    return value if type(value) is int and 0 <= value < 1 << 64 else 0


def _attributes(value: Any) -> dict[str, Any]:
    pairs = [mapping(item) for item in items(value)]
    return {text(pair.get("key")): _value(pair.get("value"), 0) for pair in pairs}


def _value(value: Any, depth: int) -> Any:
    """Return what an ``AnyValue`` holds; None for what is none, and for what lies too deep to be one."""
    for name, held in mapping(value).items():
        if name in ("arrayValue", "kvlistValue"):
            return _inner(name, held, depth + 1) if depth < _MAX_DEPTH else None
        if name == "intValue" and _WHOLE.fullmatch(text(held)):
            return int(held)
        return held if isinstance(held, str | int | float) else None
    return None


def _inner(name: str, held: Any, depth: int) -> Any:
    inner = [mapping(item) for item in items(mapping(held).get("values"))]
    if name == "arrayValue":
        return [_value(item, depth) for item in inner]
    return {text(item.get("key")): _value(item.get("value"), depth) for item in inner}


def _words(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
