"""Which repository a sender means. Its requests do not say, so the server's configuration does."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

NAMESPACE = uuid.UUID("5f0c4d86-2c0e-5a5e-9a35-8d3f0f6d6b52")
_SHORT = 512
_PATH = 4096
_MESSAGE = 16_384
_EXCERPT = 500_000

Kind = Literal["otlp", "sentry"]


@dataclass(frozen=True, slots=True)
class Sender:
    """A ``[[source]]`` table of the server.

    ``name`` is a project of Sentry or a service of OpenTelemetry; '' is any. ``service``, ``environment``
    and ``release`` count where the sender does not say them.
    """

    kind: Kind
    name: str
    repo_url: str
    code_host: str = ""
    service: str = ""
    environment: str = ""
    release: str = ""


@dataclass(frozen=True, slots=True)
class Senders:
    """All of them; the first that fits counts."""

    senders: Sequence[Sender] = ()

    def find(self, kind: Kind, name: str) -> Sender | None:
        """Return the sender of this name, or None."""
        fitting = (s for s in self.senders if s.kind == kind and s.name in ("", name))
        return next(fitting, None)


def wire_event(
    sender: Sender,
    *,
    identity: str,
    path: str,
    occurred_at: str,
    excerpt: str,
    level: str,
    node: str = "",
    service: str = "",
    environment: str = "",
    release: str = "",
    context: Sequence[str] = (),
    error: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return an event as an agent would send it. The same ``identity`` is the same event."""
    return {
        "schema_version": 1,
        "event_id": str(uuid.uuid5(NAMESPACE, f"{sender.kind}\0{clean(identity)}")),
        "occurred_at": occurred_at,
        "node": clean(node, _SHORT),
        "service": clean(service or sender.service, _SHORT),
        "environment": clean(environment or sender.environment, _SHORT),
        "release": clean(release or sender.release, _SHORT),
        "repo": {"repo_url": sender.repo_url, "code_host": sender.code_host},
        "source": {"path": clean(path, _PATH), "offset": 0},
        "level": level,
        "context": [clean(line, 1000) for line in context],
        "error": {**(error or {}), "raw_excerpt": clean(excerpt, _EXCERPT)},
    }


def clean(value: str, limit: int = _MESSAGE) -> str:
    """Replace what JSON and databases cannot keep, and cut."""
    return value[:limit].replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def text(value: Any) -> str:
    """Return a value of a foreign body as text; empty when it is none."""
    return value if isinstance(value, str) else ""


def mapping(value: Any) -> dict[str, Any]:
    """Return a value as an object; empty when it is none."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """Return a value as a list; empty when it is none."""
    return value if isinstance(value, list) else []
