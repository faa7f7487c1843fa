"""Envelopes of Sentry's SDKs: the events in them, as ours.

An exception is written out as its language prints it, so that it is grouped with what a log says of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ai_ops.server.senders.mapping import Sender, clean, items, mapping, text, wire_event

MAX_ITEMS = 100
_MAX_VALUES = 20
_MAX_FRAMES = 300
_BREADCRUMBS = 20
_MAX_ID = 100
_LOUD = {"error": "ERROR", "fatal": "CRITICAL"}
_CATEGORIES = {
    "transaction": "transaction",
    "span": "span",
    "session": "session",
    "sessions": "session",
    "attachment": "attachment",
    "profile": "profile",
    "profile_chunk": "profile",
    "replay_event": "replay",
    "replay_recording": "replay",
    "check_in": "monitor",
    "statsd": "metric_bucket",
    "trace_metric": "trace_metric",
    "log": "log_item",
    "feedback": "feedback",
}
_LIMIT_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Item:
    """One item of an envelope."""

    type: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope: its own event id, fit to be answered, and its items."""

    event_id: str
    items: tuple[Item, ...]

    @property
    def unwanted(self) -> tuple[str, ...]:
        """The types of the items that are not taken."""
        return tuple(item.type for item in self.items if item.type != "event")


def read_envelope(
    body: bytes, project: str, sender: Sender, now: datetime
) -> tuple[Envelope, list[dict[str, Any]]]:
    """Return an envelope, and the errors in it as events of ours; ``now`` counts where one says no time.

    Raises:
        ValueError: with the reason.
    """
    envelope = parse_envelope(body)
    events = [to_wire(item.payload, project, sender, now) for item in envelope.items if item.type == "event"]
    return envelope, [event for event in events if event is not None]


def parse_envelope(body: bytes) -> Envelope:
    """Return an envelope.

    Raises:
        ValueError: with the reason.
    """
    header, position = _object_line(body, 0)
    found: list[Item] = []
    while position < len(body):
        if body[position : position + 1] == b"\n":
            position += 1
            continue
        if len(found) == MAX_ITEMS:
            raise ValueError(f"an envelope may hold {MAX_ITEMS} items")
        about, position = _object_line(body, position)
        length = about.get("length")
        if isinstance(length, int) and not isinstance(length, bool):
            end = position + length
            if length < 0 or end > len(body):
                raise ValueError("an item is longer than the envelope")
        else:
            end = body.find(b"\n", position)
            end = len(body) if end < 0 else end
        found.append(Item(text(about.get("type")), body[position:end]))
        position = end
    return Envelope(clean(text(header.get("event_id")), _MAX_ID), tuple(found))


def _object_line(body: bytes, begin: int) -> tuple[dict[str, Any], int]:
    end = body.find(b"\n", begin)
    end = len(body) if end < 0 else end
    return _object(body[begin:end], "a header"), min(len(body), end + 1)


def _object(data: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError(f"{what} is not JSON") from None
    if not isinstance(value, dict):
        raise ValueError(f"{what} is not an object")
    return value


def rate_limits(unwanted: tuple[str, ...]) -> str:
    """Return the header that asks an SDK to keep these items to itself; empty when there are none."""
    categories = sorted({_CATEGORIES[kind] for kind in unwanted if kind in _CATEGORIES})
    return f"{_LIMIT_SECONDS}:{';'.join(categories)}:organization" if categories else ""


def key_of(header: str) -> str:
    """Return the public key of an ``X-Sentry-Auth`` header."""
    for part in header.removeprefix("Sentry ").split(","):
        name, _, value = part.strip().partition("=")
        if name == "sentry_key":
            return value
    return ""


def to_wire(payload: bytes, project: str, sender: Sender, now: datetime) -> dict[str, Any] | None:
    """Return an event as ours; None when it is no error.

    Raises:
        ValueError: with the reason.
    """
    event = _object(payload, "an event")
    level = _LOUD.get(text(event.get("level")) or "error")
    values = [mapping(v) for v in items(_values(event.get("exception")))][-_MAX_VALUES:]
    message = _message(event)
    if level is None or not (values or message):
        return None
    name = text(event.get("event_id"))
    if not name:
        raise ValueError("an event has no event_id")
    platform = text(event.get("platform"))
    last = values[-1] if values else {}
    trace = _trace(platform, values)
    return wire_event(
        sender,
        identity=f"{project}\0{name}",
        path=f"sentry:{project}/{name}",
        occurred_at=_moment(event.get("timestamp"), now),
        excerpt=f"{message}\n{trace}" if message and trace else message or trace,
        level=level,
        node=text(event.get("server_name")),
        environment=text(event.get("environment")),
        release=text(event.get("release")),
        context=list(_context(event)),
        error={
            "language": clean(platform, 100),
            "exception_type": clean(_kind(last, "."), 512),
            "message": clean(text(last.get("value"))),
            "frames": [_frame(frame) for frame in _frames(last)],
        }
        if values
        else None,
    )


def _values(value: Any) -> Any:
    return value.get("values") if isinstance(value, dict) else value


def _message(event: Mapping[str, Any]) -> str:
    entry = mapping(event.get("logentry"))
    message = event.get("message")
    words = text(entry.get("formatted")) or text(entry.get("message")) or text(message)
    return words or text(mapping(message).get("formatted"))


def _moment(value: Any, now: datetime) -> str:
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value, UTC)
        else:
            moment = datetime.fromisoformat(text(value))
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        found = moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        found = now
    return (found if 2000 <= found.year <= 2200 else now).isoformat()


def _context(event: Mapping[str, Any]) -> Iterator[str]:
    for crumb in [mapping(c) for c in items(_values(event.get("breadcrumbs")))][-_BREADCRUMBS:]:
        if words := text(crumb.get("message")):
            yield f"{text(crumb.get('category'))}: {words}"


def _frames(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [mapping(f) for f in items(mapping(value.get("stacktrace")).get("frames"))][-_MAX_FRAMES:]


def _frame(frame: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "file": clean(_file(frame), 4096),
        "line": _number(frame, "lineno"),
        "function": clean(text(frame.get("function")), 1024),
        "in_app": frame.get("in_app") is not False,
    }


def _file(frame: Mapping[str, Any]) -> str:
    return text(frame.get("abs_path")) or text(frame.get("filename"))


def _number(frame: Mapping[str, Any], name: str) -> int:
    value = frame.get(name)
    return value if type(value) is int and 0 <= value <= 10_000_000 else 0


def _kind(value: Mapping[str, Any], separator: str) -> str:
    kind, module = text(value.get("type")) or "Error", text(value.get("module"))
    return kind if not module or module in ("builtins", "__main__") else f"{module}{separator}{kind}"


def _trace(platform: str, values: list[dict[str, Any]]) -> str:
    if platform == "python":
        return "".join(_python(value, first=index == 0) for index, value in enumerate(values)).rstrip("\n")
    if platform == "java":
        causes = [_java(value) for value in reversed(values)]
        return "\nCaused by: ".join(causes)
    return "\n".join(_other(value) for value in values[-1:])


def _python(value: Mapping[str, Any], *, first: bool) -> str:
    frames = _frames(value)
    link = "" if first else _link(frames[-1] if frames else {})
    lines = []
    for frame in frames:
        function = text(frame.get("function")) or "<module>"
        lines.append(f'  File "{_file(frame)}", line {_number(frame, "lineno")}, in {function}\n')
        if code := text(frame.get("context_line")).strip():
            lines.append(f"    {code}\n")
    head = "Traceback (most recent call last):\n" if lines else ""
    return f"{link}{head}{''.join(lines)}{_kind(value, '.')}: {text(value.get('value'))}\n"


def _link(raising: Mapping[str, Any]) -> str:
    """Return the words between an exception and the one before it; the SDK keeps the code, not the link."""
    if " from " in text(raising.get("context_line")):
        return "\nThe above exception was the direct cause of the following exception:\n\n"
    return "\nDuring handling of the above exception, another exception occurred:\n\n"


def _java(value: Mapping[str, Any]) -> str:
    lines = [f"{_kind(value, '.')}: {text(value.get('value'))}"]
    for frame in reversed(_frames(value)):
        where = f"{text(frame.get('filename')) or 'Unknown Source'}:{_number(frame, 'lineno')}"
        lines.append(f"\tat {text(frame.get('module'))}.{text(frame.get('function'))}({where})")
    return "\n".join(lines)


def _other(value: Mapping[str, Any]) -> str:
    """Write an exception as JavaScript does, which most languages resemble."""
    lines = [f"{_kind(value, '.')}: {text(value.get('value'))}"]
    for frame in reversed(_frames(value)):
        place = f"{_file(frame)}:{_number(frame, 'lineno')}:{_number(frame, 'colno')}"
        function = text(frame.get("function"))
        lines.append(f"    at {function} ({place})" if function else f"    at {place}")
    return "\n".join(lines)
