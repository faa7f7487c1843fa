"""Settings in, everything that works out: the tools, the engine and its duties."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from ai_ops.core.identity import run_id
from ai_ops.core.orchestrator.ci import CiWatch
from ai_ops.core.orchestrator.conversation import Conversation
from ai_ops.core.orchestrator.crew import WatchedWorker
from ai_ops.core.orchestrator.expiring import Expiring
from ai_ops.core.orchestrator.fix_watching import FixWatching
from ai_ops.core.orchestrator.guarding import Guarding
from ai_ops.core.orchestrator.holding import Holding
from ai_ops.core.orchestrator.oversight import Oversight
from ai_ops.core.orchestrator.pacing import paced_hosts
from ai_ops.core.orchestrator.places import LeftPlaces
from ai_ops.core.orchestrator.queue_keeping import QueueKeeping
from ai_ops.core.orchestrator.scheduling import Scheduling
from ai_ops.core.orchestrator.steering import Steering
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.orchestrator.upkeep import Upkeep
from ai_ops.core.orchestrator.waking import Waking
from ai_ops.core.orchestrator.watching import Watching
from ai_ops.core.orchestrator.worker import Worker
from ai_ops.core.orchestrator.workflow_running import WorkflowRunning
from ai_ops.core.ports import Sandbox
from ai_ops.core.ports import Worker as Work
from ai_ops.core.redaction import Redactor
from ai_ops.core.repository import RepositoryRules
from ai_ops.core.wording import counted
from ai_ops.engine.durable import DurableEngine
from ai_ops.engine.maintenance import MaintenanceFile
from ai_ops.errors import PermanentError
from ai_ops.integrations.mail.mailroom import Mailroom
from ai_ops.settings import Settings
from ai_ops.store.comments import CommentRepository
from ai_ops.store.database import Database, open_database
from ai_ops.store.deliveries import SeenCommentRepository
from ai_ops.store.gate import GateRepository
from ai_ops.store.retention import Retention
from ai_ops.store.schedules import ScheduleRepository
from ai_ops.store.secrets import SecretStore
from ai_ops.store.workflows import WorkflowRepository
from ai_ops.wiring import duties, overseeing
from ai_ops.wiring.adapters import queue_rules, repository_rules
from ai_ops.wiring.masking import redactor
from ai_ops.wiring.tooling import Equipment, equip
from ai_ops.workspace.choosing import AutoSandbox
from ai_ops.workspace.orphans import kill_orphans

log = logging.getLogger(__name__)


WrapWorker = Callable[[Work], Work]
"""Puts something around the worker; tests make it fail at a chosen moment."""


@dataclass(frozen=True, slots=True)
class System:
    """Everything that works, with or without HTTP in front of it."""

    settings: Settings
    tools: Tools
    engine: DurableEngine
    rules: RepositoryRules
    redactor: Redactor
    database: Database
    mailroom: Mailroom
    sandbox: Sandbox
    retention: Retention
    watching: Watching
    comments: CommentRepository
    conversation: Conversation
    schedules: ScheduleRepository
    scheduling: Scheduling
    oversight: Oversight
    guarding: Guarding
    secrets: SecretStore
    steering: Steering
    gate: GateRepository
    maintenance: MaintenanceFile
    workflows: WorkflowRunning

    async def ready(self) -> None:
        """Write to the database and take it back; a failure is named."""
        async with self.database.write():
            return


@contextlib.asynccontextmanager
async def build(
    settings: Settings, public_url: str, *, wrap: WrapWorker | None = None, overlays: bool = False
) -> AsyncIterator[System]:
    """Construct everything, start the engine, and stop it at the end.

    ``overlays``: this process has entered mounts of its own (``workspace.mounts``).

    Raises:
        AiOpsError: the database, the data folder or the toolbox cannot be used.
    """
    redact = redactor(settings)
    await asyncio.to_thread(overseeing.finish_restoring, settings.data_dir)
    database = await open_database(settings.database)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        equipment = await equip(settings, public_url, database, redact, overlays=overlays)
        stack.push_async_callback(equipment.mailroom.close)  # when no run can ask for more
        tools = equipment.tools
        engine = _engine(settings, equipment, wrap)
        maintenance = MaintenanceFile(settings.data_dir, tools.clock)
        engine.hold(True)  # what goes on would be taken for what was left behind
        await engine.start()
        stack.push_async_callback(engine.stop)
        stack.callback(equipment.mailroom.begin_nothing_more)  # its threads are gone before the engine is
        # Only now is the data folder ours alone; nobody can ask for new work yet.
        await asyncio.to_thread(kill_orphans, settings.workspaces_dir)
        if isinstance(tools.sandbox, AutoSandbox):
            await _look_at(tools.sandbox)
        unfinished = await tools.tasks.unfinished()
        await equipment.workspaces.sweep({run_id(task.id, task.run_number) for task in unfinished})
        engine.hold(maintenance.current() is not None)
        system = _assembled(settings, redact, database, equipment, engine, maintenance)
        for name, duty in _duties(system):
            duties.begin(stack, name, duty)
        yield system


def _engine(settings: Settings, equipment: Equipment, wrap: WrapWorker | None) -> DurableEngine:
    tools = equipment.tools
    worker = Worker(tools)
    return DurableEngine(
        f"sqlite:///{settings.data_dir.absolute() / 'engine.db'}",
        settings.data_dir,
        WatchedWorker(wrap(worker) if wrap else worker, tools.tasks, equipment.crew),
        tools.tasks,
        tools.trace,
        failing=worker.fail,
        max_concurrent=settings.max_concurrent_tasks,
    )


def _assembled(
    settings: Settings,
    redact: Redactor,
    database: Database,
    equipment: Equipment,
    engine: DurableEngine,
    maintenance: MaintenanceFile,
) -> System:
    tools, clock = equipment.tools, equipment.tools.clock
    # What goes round keeps a pace towards the hosts; runs do not wait for it.
    paced = replace(tools, hosts=paced_hosts(tools.hosts, settings.watch_requests_per_minute))
    seen, prefix = SeenCommentRepository(database), settings.pr_comment_command_prefix
    conversation = Conversation(paced, engine, seen, prefix)
    days = settings.pull_request_expiry_days
    expiring = Expiring(tools.pull_requests, tools.tasks, paced.hosts, clock, days)
    watchers = (Holding(paced), conversation, CiWatch(paced, engine), expiring)
    retention = Retention(database, clock, settings.event_retention_days, settings.trace_retention_days)
    rules = repository_rules(settings)
    schedules = ScheduleRepository(database, clock)
    steering = Steering(tools.tasks, engine, tools.pauses, tools.redact)
    gate = GateRepository(database, clock, queue_rules(settings))
    return System(
        settings,
        tools,
        engine,
        rules,
        redact,
        database,
        equipment.mailroom,
        tools.sandbox,
        retention,
        Watching(tools.pull_requests, paced.hosts, watchers),
        equipment.comments,
        conversation,
        schedules,
        Scheduling(schedules, tools.tasks, engine, clock, rules.resolve),
        overseeing.oversight(
            settings,
            tools,
            engine,
            database,
            equipment.crew,
            retention,
            equipment.workspaces,
            equipment.caches,
        ),
        equipment.guarding,
        equipment.secrets,
        steering,
        gate,
        maintenance,
        WorkflowRunning(
            WorkflowRepository(database, clock),
            tools.tasks,
            tools.trace,
            engine,
            steering,
            gate,
            equipment.guarding,
            clock,
            rules.resolve,
        ),
    )


def _duties(system: System) -> Iterator[tuple[str, duties.Run]]:
    """Yield what goes round until the end, each with its name."""
    settings, tools, engine = system.settings, system.tools, system.engine
    upkeep = Upkeep(
        tools.issues,
        engine,
        system.oversight.cleaning,
        tools.redact,
        begins=(tools.issues.reconsider, tools.places.release_waiting),
        duties=(LeftPlaces(tools).clear,),
    )
    grace = timedelta(hours=settings.fix_watch_grace)
    yield "outbox", system.mailroom.run
    yield "upkeep", upkeep.run
    yield (
        "queue keeping",
        QueueKeeping(tools, engine, system.gate, system.maintenance, upkeep.release).run,
    )
    yield "waking", Waking(tools.tasks, tools.pauses, engine, tools.clock).run
    yield "scheduling", system.scheduling.run
    yield "workflows", system.workflows.run
    yield "watching", system.watching.run
    yield from system.oversight.duties
    yield "fix watch", FixWatching(tools, engine, grace=grace, reverts=settings.fix_watch_revert).run


async def _look_at(sandbox: AutoSandbox) -> None:
    """Say which sandbox is used and why, and remove what a killed server left in it."""
    try:
        log.info("sandbox: %s", await sandbox.probe())
    except PermanentError as error:
        log.warning("runs are refused, there is no sandbox: %s", error.message)
    if left := await sandbox.clear():
        log.info("removed %s left behind", counted(len(left), "container"))
