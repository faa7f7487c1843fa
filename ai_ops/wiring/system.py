"""Settings in, everything that works out: the tools, the engine and its duties."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from ai_ops.core.budgets import Budgets
from ai_ops.core.clock import SystemClock
from ai_ops.core.identity import run_id
from ai_ops.core.orchestrator.ci import CiWatch
from ai_ops.core.orchestrator.conversation import Conversation
from ai_ops.core.orchestrator.crew import WatchedFixer, WatchedWorker
from ai_ops.core.orchestrator.expiring import Expiring
from ai_ops.core.orchestrator.fix_watching import FixWatching
from ai_ops.core.orchestrator.guarding import Guarding
from ai_ops.core.orchestrator.holding import Holding
from ai_ops.core.orchestrator.oversight import Oversight
from ai_ops.core.orchestrator.paced import PacedFixer
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
from ai_ops.store.bug_cases import BugCaseRepository
from ai_ops.store.comments import CommentRepository
from ai_ops.store.database import Database, open_database
from ai_ops.store.deliveries import SeenCommentRepository
from ai_ops.store.fix_watches import FixWatchRepository
from ai_ops.store.gate import GateRepository
from ai_ops.store.issues import IssueRepository
from ai_ops.store.ledger import LedgerRepository
from ai_ops.store.outbox import OutboxRepository
from ai_ops.store.pauses import PauseRepository
from ai_ops.store.places import PlaceRepository
from ai_ops.store.pull_requests import PullRequestRepository
from ai_ops.store.retention import Retention
from ai_ops.store.schedules import ScheduleRepository
from ai_ops.store.secrets import SecretStore
from ai_ops.store.tasks import TaskRepository
from ai_ops.store.workflows import WorkflowRepository
from ai_ops.trace.trace_store import TraceStore
from ai_ops.wiring import duties, overseeing, telling
from ai_ops.wiring import guarding as guards
from ai_ops.wiring.adapters import (
    account,
    chosen_sandbox,
    fixer,
    intake_rules,
    notifier,
    policy,
    publishing_limits,
    queue_rules,
    redactor,
    repository_rules,
    salt_of,
    task_folders,
)
from ai_ops.wiring.code_hosts import git_client, github_account, hosts
from ai_ops.workspace import edits
from ai_ops.workspace.choosing import AutoSandbox, toolchains_of
from ai_ops.workspace.orphans import kill_orphans
from ai_ops.workspace.setup_layer import SetupBuilder
from ai_ops.workspace.suite import SuiteRunner
from ai_ops.workspace.toolbox import ensure_toolbox
from ai_ops.workspace.workspace_manager import WorkspaceManager

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
    clock = SystemClock()
    redact = redactor(settings)
    salt = await asyncio.to_thread(salt_of, settings.data_dir)
    await asyncio.to_thread(overseeing.finish_restoring, settings.data_dir)
    database = await open_database(settings.database)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        sandbox = chosen_sandbox(settings)
        toolbox = await ensure_toolbox(settings.data_dir)
        on_github = github_account(settings)
        git = git_client(settings, on_github)
        trace = TraceStore(database, clock, redact)
        budgets = Budgets(settings.budget_usd_per_hour, settings.budget_usd_per_day)
        ledger = LedgerRepository(database, clock, budgets)
        pauses = PauseRepository(database, clock, account(settings, salt), settings.default_unban_wait)
        guarding = await guards.guarding(settings, database, clock, redact.redact)
        secrets = await guards.secret_store(settings, database, clock)
        pull_requests = PullRequestRepository(database, clock)
        comments = CommentRepository(database, clock)
        outbox = OutboxRepository(database)
        mailroom = Mailroom(
            outbox,
            notifier(settings),
            clock,
            redact.redact,
            others=telling.others(settings, clock),
            pacing=telling.pacing(settings),
            wishes=telling.wishes(settings),
        )
        workspaces = WorkspaceManager(settings.workspaces_dir, git, overlays=overlays)
        setup_layers = SetupBuilder(
            sandbox,
            toolbox,
            settings.data_dir,
            network=settings.setup_network,
            find=toolchains_of(sandbox),
        )
        crew = overseeing.crew(settings, clock)
        tools = Tools(
            tasks=TaskRepository(database, clock, queue_rules(settings)),
            issues=IssueRepository(database, clock, intake_rules(settings)),
            pull_requests=pull_requests,
            places=PlaceRepository(database, clock, publishing_limits(settings)),
            bug_cases=BugCaseRepository(database),
            fix_watches=FixWatchRepository(database, clock, intake_rules(settings)),
            trace=trace,
            outbox=outbox,
            git=git,
            history=git,
            builds=git,
            workspaces=workspaces,
            suites=SuiteRunner(
                sandbox,
                toolbox,
                wall_seconds=settings.test_wall_seconds,
                output_limit=settings.sandbox_output_mb * 10**6,
                find=toolchains_of(sandbox),
            ),
            setup_layers=setup_layers,
            edits=edits,
            fixer=WatchedFixer(PacedFixer(fixer(settings, sandbox, ledger), pauses, clock), crew),
            hosts=hosts(settings, pull_requests, comments, git, on_github),
            mailroom=mailroom,
            sandbox=sandbox,
            clock=clock,
            policy=policy(settings, salt, public_url),
            redact=redact.redact,
            ledger=ledger,
            pauses=pauses,
            folders=task_folders(settings),
            guarding=guarding,
        )
        worker = Worker(tools)
        engine = DurableEngine(
            f"sqlite:///{settings.data_dir.absolute() / 'engine.db'}",
            settings.data_dir,
            WatchedWorker(wrap(worker) if wrap else worker, tools.tasks, crew),
            tools.tasks,
            trace,
            failing=worker.fail,
            max_concurrent=settings.max_concurrent_tasks,
        )
        maintenance = MaintenanceFile(settings.data_dir, clock)
        engine.hold(maintenance.current() is not None)
        await engine.start()
        stack.push_async_callback(engine.stop)
        # Only now is the data folder ours alone; nobody can ask for new work yet.
        await asyncio.to_thread(kill_orphans, settings.workspaces_dir)
        if isinstance(sandbox, AutoSandbox):
            await _look_at(sandbox)
        unfinished = await tools.tasks.unfinished()
        await workspaces.sweep({run_id(task.id, task.run_number) for task in unfinished})
        # What goes round keeps a pace towards the hosts; runs do not wait for it.
        paced = replace(tools, hosts=paced_hosts(tools.hosts, settings.watch_requests_per_minute))
        seen, prefix = SeenCommentRepository(database), settings.pr_comment_command_prefix
        conversation = Conversation(paced, engine, seen, prefix)
        days = settings.pull_request_expiry_days
        expiring = Expiring(pull_requests, tools.tasks, paced.hosts, clock, days)
        watchers = (Holding(paced), conversation, CiWatch(paced, engine), expiring)
        watching = Watching(pull_requests, paced.hosts, watchers)
        retention = Retention(database, clock, settings.event_retention_days, settings.trace_retention_days)
        caches = {"mirrors": git.forget_unused, "setup_layers": setup_layers.forget_unused}
        oversight = overseeing.oversight(
            settings, tools, engine, database, crew, retention, workspaces, caches
        )
        rules = repository_rules(settings)
        schedules = ScheduleRepository(database, clock)
        scheduling = Scheduling(schedules, tools.tasks, engine, clock, rules.resolve)
        steering = Steering(tools.tasks, engine, pauses, redact.redact)
        gate = GateRepository(database, clock, queue_rules(settings))
        workflows = WorkflowRunning(
            WorkflowRepository(database, clock),
            tools.tasks,
            trace,
            engine,
            steering,
            gate,
            guarding,
            clock,
            rules.resolve,
        )
        system = System(
            settings,
            tools,
            engine,
            rules,
            redact,
            database,
            mailroom,
            sandbox,
            retention,
            watching,
            comments,
            conversation,
            schedules,
            scheduling,
            oversight,
            guarding,
            secrets,
            steering,
            gate,
            maintenance,
            workflows,
        )
        duties.begin(stack, "outbox", mailroom.run)
        upkeep = Upkeep(
            tools.issues,
            engine,
            oversight.cleaning,
            redact.redact,
            begins=(tools.issues.reconsider, tools.places.release_waiting),
            duties=(LeftPlaces(tools).clear,),
        )
        duties.begin(stack, "upkeep", upkeep.run)
        keeping = QueueKeeping(tools, engine, system.gate, maintenance, upkeep.release)
        duties.begin(stack, "queue keeping", keeping.run)
        waking = Waking(tools.tasks, pauses, engine, clock)
        duties.begin(stack, "waking", waking.run)
        duties.begin(stack, "scheduling", scheduling.run)
        duties.begin(stack, "workflows", workflows.run)
        duties.begin(stack, "watching", watching.run)
        for name, duty in oversight.duties:
            duties.begin(stack, name, duty)
        holding = FixWatching(
            tools,
            engine,
            grace=timedelta(hours=settings.fix_watch_grace),
            reverts=settings.fix_watch_revert,
        )
        duties.begin(stack, "fix watch", holding.run)
        yield system


async def _look_at(sandbox: AutoSandbox) -> None:
    """Say which sandbox is used and why, and remove what a killed server left in it."""
    try:
        log.info("sandbox: %s", await sandbox.probe())
    except PermanentError as error:
        log.warning("runs are refused, there is no sandbox: %s", error.message)
    if left := await sandbox.clear():
        log.info("removed %s left behind", counted(len(left), "container"))
