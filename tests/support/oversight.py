"""What watches over an installation, for tests: real parts on a database, a host whose measures are set."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from ai_ops.core.orchestrator.cleaning import Cleaning
from ai_ops.core.orchestrator.health_watch import HealthWatch
from ai_ops.core.orchestrator.measuring import Measuring
from ai_ops.core.orchestrator.oversight import Oversight
from ai_ops.core.orchestrator.supervising import Supervisor
from ai_ops.core.supervision import WorkerRules
from ai_ops.flow.health import HealthRules, HostUse
from ai_ops.integrations.alert_file import AlertFile
from ai_ops.integrations.mail.files import FileNotifier
from ai_ops.integrations.mail.mailroom import Mailroom
from ai_ops.store.alerts import AlertRepository
from ai_ops.store.figures import FigureRepository
from ai_ops.store.pauses import PauseRepository
from ai_ops.store.retention import Retention
from ai_ops.store.worker_losses import WorkerLossRepository
from ai_ops.workspace.workspace_manager import WorkspaceManager

GB = 1000**3
WELL = HostUse(50 * GB, 100 * GB, 900, 1000, 8 * GB, 16 * GB)


@dataclass
class Measures:
    """What the host and the peers say; tests change it."""

    host: HostUse = WELL
    peers: dict[str, Any] = field(default_factory=dict)
    unseen: OSError | None = None

    def look(self) -> HostUse:
        """Return what the host has left, or raise what keeps it from being seen."""
        if self.unseen is not None:
            raise self.unseen
        return self.host


def tools_of(folder, tasks, outbox, clock, recipients=()):
    """Return what failing and telling need of the tools."""
    mailroom = Mailroom(outbox, FileNotifier(folder / "outbox", "ai-ops@example.test"), clock, str)
    policy = SimpleNamespace(recipients=recipients, public_url="https://ai-ops.test")
    return SimpleNamespace(
        tasks=tasks, outbox=outbox, mailroom=mailroom, clock=clock, redact=str, policy=policy
    )


def an_oversight(
    folder, database, crew, tasks, engine, outbox, clock, *, measures=None, recipients=(), repairs=True
):
    """Return it, with nothing begun."""
    measures = measures or Measures()
    tools: Any = tools_of(folder, tasks, outbox, clock, recipients)
    rules = WorkerRules(5000 * 2**20, 1200.0, 3)
    cleaning = Cleaning(
        Retention(database, clock, 90, 90),
        WorkspaceManager(folder / "workspaces", None),  # type: ignore[arg-type]
        tasks,
        clock,
        lambda: measures.host.disk_free,
        {},
        30,
    )

    async def ready():
        async with database.write():
            return

    alerts, figures = AlertRepository(database), FigureRepository(database)
    gauges = Measuring(
        measures.look,
        ready,
        figures,
        crew,
        PauseRepository(database, clock, "account"),
        clock,
        peers=measures.peers,
    )
    health = HealthWatch(
        tools,
        gauges,
        alerts,
        AlertFile(folder / "alerts.jsonl"),
        HealthRules(),
        repairs={"disk": cleaning.repair} if repairs else {},
    )

    async def host():
        return measures.host

    supervisor = Supervisor(tools, engine, crew, WorkerLossRepository(database), rules)
    return Oversight(crew, supervisor, health, alerts, figures, cleaning, host)
