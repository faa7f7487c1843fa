"""What is measured of an installation, and where its alerts are kept and told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from ai_ops.core.ports.records import Page
from ai_ops.flow.alert import Alert, AlertState
from ai_ops.flow.health import Vitals


@dataclass(frozen=True, slots=True)
class StoredFigures:
    """What the tables hold, counted: by state, tasks by (kind, state). The moments are those of the oldest.

    ``pending_since`` is since when the oldest pending task waits, ``unsent_since`` the oldest message that
    should have gone out.
    """

    tasks: Mapping[tuple[str, str], int] = field(default_factory=dict)
    issues: Mapping[str, int] = field(default_factory=dict)
    pull_requests: Mapping[str, int] = field(default_factory=dict)
    notifications: Mapping[tuple[str, str], int] = field(default_factory=dict)
    pending_since: datetime | None = None
    unsent_since: datetime | None = None


class Figures(Protocol):
    """Counts what is stored."""

    async def read(self) -> StoredFigures:
        """Count it now."""
        ...


class Gauges(Protocol):
    """Measures the installation."""

    async def vitals(self) -> Vitals:
        """Measure; what cannot be measured says so, and nothing is raised."""
        ...


class Alerts(Protocol):
    """The alerts that were told."""

    async def unresolved(self) -> Sequence[Alert]:
        """Return those that last, oldest first."""
        ...

    async def save(self, alert: Alert) -> None:
        """Keep one, or what it has become."""
        ...

    async def find(self, alert_id: str) -> Alert | None:
        """Return one."""
        ...

    async def list(
        self, *, states: Sequence[AlertState] = (), limit: int = 50, cursor: str | None = None
    ) -> Page[Alert]:
        """Return alerts, newest first; no states: of any."""
        ...


class AlertLog(Protocol):
    """A file that programs read alerts from."""

    async def append(self, record: Mapping[str, Any]) -> None:
        """Append one; that it cannot be written is told in the log and raises nothing."""
        ...
