"""Alert: something wrong with this installation, from when it was first seen until it is well again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ai_ops.flow.health import Severity


class AlertState(StrEnum):
    """``rising``: seen, and not told yet, because it may be a moment's."""

    RISING = "rising"
    OPEN = "open"
    RESOLVED = "resolved"


class AlertNews(StrEnum):
    """What is told of an alert."""

    OPENED = "opened"
    ESCALATED = "escalated"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that is wrong. Of one ``key`` there is one at a time that is not resolved.

    ``seen`` counts the checks that failed, ``well`` those in a row that passed since. ``severity`` never
    falls while it lasts; ``changed_at`` is when it last rose. ``repair`` says what was done about it unasked.
    """

    id: str
    key: str
    severity: Severity
    state: AlertState
    text: str
    next_step: str
    first_at: datetime
    last_at: datetime
    changed_at: datetime
    seen: int = 1
    well: int = 0
    repair: str = ""
    resolved_at: datetime | None = None
