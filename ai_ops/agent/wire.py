"""An event as it travels: the JSON of ``POST /v1/events``.

It is encoded once, when it is made. What changes afterwards is written into the bytes: decoded, a large
event takes several times its size.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from ai_ops.flow.event import Event

# What the server takes at most; longer text is cut here rather than refused there.
_SHORT = 512
_PATH = 4096
_FUNCTION = 1024
_MESSAGE = 16_384
_EXCERPT = 1 << 20
_FRAMES = 1000
_CAUSES = 100
_ID, _TIME, _COUNT = b'"event_id":"', b'"occurred_at":"', b',"count":'


def to_wire(event: Event) -> dict[str, Any]:
    """Return the event as JSON values, in the order of the documentation."""
    error = event.error
    return {
        "schema_version": event.schema_version,
        "event_id": event.event_id,
        "occurred_at": _rfc3339(event.occurred_at),
        "node": _text(event.node, _SHORT),
        "service": _text(event.service, _SHORT),
        "environment": _text(event.environment, _SHORT),
        "release": _text(event.release, _SHORT),
        "repo": {
            "repo_url": event.repo.repo_url,
            "code_host": event.repo.code_host,
            "default_branch": event.repo.default_branch,
        },
        "source": {"path": _text(event.source.path, _PATH), "offset": event.source.offset},
        "level": event.level,
        "context": [_text(line, _FUNCTION) for line in event.context],
        "error": {
            "language": error.language,
            "exception_type": _text(error.exception_type, _SHORT),
            "cause_types": [_text(kind, _SHORT) for kind in error.cause_types[:_CAUSES]],
            "message": _text(error.message, _MESSAGE),
            "frames": [
                {
                    "file": _text(frame.file, _PATH),
                    "line": frame.line if 0 <= frame.line <= 10_000_000 else 0,
                    "function": _text(frame.function, _FUNCTION),
                    "in_app": frame.in_app,
                }
                for frame in error.frames[-_FRAMES:]
            ],
            "raw_excerpt": _text(error.raw_excerpt, _EXCERPT),
            "fingerprint": error.fingerprint,
            "grouping_version": error.grouping_version,
        },
        "count": event.count,
    }


def encode(wire: dict[str, Any]) -> bytes:
    """Return compact JSON."""
    return json.dumps(wire, ensure_ascii=False, separators=(",", ":")).encode()


def recount(encoded: bytes, count: int) -> tuple[str, bytes]:
    """Return the id of an event that ``encode`` gave, and the event with another count."""
    begin, end = _value(encoded, _ID)
    until = encoded.rindex(_COUNT) + len(_COUNT)  # the last of its names
    return encoded[begin:end].decode(), b"".join((memoryview(encoded)[:until], b"%d}" % count))


def redated(encoded: bytes, at: datetime) -> bytes:
    """Return an event that ``encode`` gave, happened at another time."""
    begin, end = _value(encoded, _TIME)
    whole = memoryview(encoded)
    return b"".join((whole[:begin], _rfc3339(at).encode(), whole[end:]))


def _value(encoded: bytes, name: bytes) -> tuple[int, int]:
    """Return where the text of one of the first names, before whatever a log may hold, begins and ends."""
    begin = encoded.index(name) + len(name)
    return begin, encoded.index(b'"', begin)


def addressed(wire: dict[str, Any], repo_url: str, code_host: str) -> dict[str, Any]:
    """Return an event for another repository, or for the same on another code host."""
    return {**wire, "repo": {**wire["repo"], "repo_url": repo_url, "code_host": code_host}}


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(text: str, limit: int) -> str:
    """Replace what JSON and databases cannot keep, and cut."""
    return text[:limit].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
