"""What watches over the installation itself, in one place for those who show it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from ai_ops.core.orchestrator.cleaning import Cleaning
from ai_ops.core.orchestrator.crew import Crew
from ai_ops.core.orchestrator.health_watch import HealthWatch
from ai_ops.core.orchestrator.supervising import Supervisor
from ai_ops.core.ports import Alerts, Figures
from ai_ops.flow.health import HostUse


@dataclass(frozen=True, slots=True)
class Oversight:
    """The workers and who replaces them; the checks of health and their alerts; figures; and cleaning."""

    crew: Crew
    supervisor: Supervisor
    health: HealthWatch
    alerts: Alerts
    figures: Figures
    cleaning: Cleaning
    host: Callable[[], Awaitable[HostUse]]

    @property
    def duties(self) -> Sequence[tuple[str, Callable[[], Coroutine[Any, Any, None]]]]:
        """What has to run as long as the server does, by name."""
        return (("workers", self.supervisor.run), ("health", self.health.run))
