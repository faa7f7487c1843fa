"""What the pipeline works with: every adapter and store, made from the settings."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from ai_ops.core.budgets import Budgets
from ai_ops.core.clock import SystemClock
from ai_ops.core.orchestrator.cleaning import Forget
from ai_ops.core.orchestrator.crew import Crew, WatchedFixer
from ai_ops.core.orchestrator.guarding import Guarding
from ai_ops.core.orchestrator.paced import PacedFixer
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import Clock
from ai_ops.core.redaction import Redactor
from ai_ops.integrations.mail.mailroom import Mailroom
from ai_ops.settings import Settings
from ai_ops.store.bug_cases import BugCaseRepository
from ai_ops.store.comments import CommentRepository
from ai_ops.store.database import Database
from ai_ops.store.fix_watches import FixWatchRepository
from ai_ops.store.issues import IssueRepository
from ai_ops.store.ledger import LedgerRepository
from ai_ops.store.outbox import OutboxRepository
from ai_ops.store.pauses import PauseRepository
from ai_ops.store.places import PlaceRepository
from ai_ops.store.pull_requests import PullRequestRepository
from ai_ops.store.secrets import SecretStore
from ai_ops.store.tasks import TaskRepository
from ai_ops.trace.trace_store import TraceStore
from ai_ops.wiring import guarding as guards
from ai_ops.wiring import overseeing, telling
from ai_ops.wiring.adapters import (
    account,
    chosen_sandbox,
    fixer,
    intake_rules,
    notifier,
    policy,
    publishing_limits,
    queue_rules,
    salt_of,
    task_folders,
)
from ai_ops.wiring.code_hosts import git_client, github_account, hosts
from ai_ops.workspace import edits
from ai_ops.workspace.choosing import toolchains_of
from ai_ops.workspace.setup_layer import SetupBuilder
from ai_ops.workspace.suite import SuiteRunner
from ai_ops.workspace.toolbox import ensure_toolbox
from ai_ops.workspace.workspace_manager import WorkspaceManager


@dataclass(frozen=True, slots=True)
class Equipment:
    """The tools, and what else was made for them. ``caches``: what forgets the unused of each."""

    tools: Tools
    mailroom: Mailroom
    workspaces: WorkspaceManager
    guarding: Guarding
    crew: Crew
    comments: CommentRepository
    secrets: SecretStore
    caches: Mapping[str, Forget]


async def equip(
    settings: Settings, public_url: str, database: Database, redact: Redactor, *, overlays: bool
) -> Equipment:
    """Make everything that stands on the database, before there is an engine.

    Raises:
        AiOpsError: the data folder or the toolbox cannot be used.
    """
    clock = SystemClock()
    salt = await asyncio.to_thread(salt_of, settings.data_dir)
    sandbox = chosen_sandbox(settings)
    toolbox = await ensure_toolbox(settings.data_dir)
    on_github = github_account(settings)
    git = git_client(settings, on_github)
    budgets = Budgets(settings.budget_usd_per_hour, settings.budget_usd_per_day)
    ledger = LedgerRepository(database, clock, budgets)
    pauses = PauseRepository(database, clock, account(settings, salt), settings.default_unban_wait)
    pull_requests = PullRequestRepository(database, clock)
    comments = CommentRepository(database, clock)
    outbox = OutboxRepository(database)
    mailroom = _mailroom(settings, outbox, clock, redact)
    setup_layers = SetupBuilder(
        sandbox, toolbox, settings.data_dir, network=settings.setup_network, find=toolchains_of(sandbox)
    )
    crew = overseeing.crew(settings, clock)
    floor = int(settings.disk_floor_gb * 1000**3)
    workspaces = WorkspaceManager(settings.workspaces_dir, git, overlays=overlays, floor_bytes=floor)
    guarding = await guards.guarding(settings, database, clock, redact.redact)
    tools = Tools(
        tasks=TaskRepository(database, clock, queue_rules(settings)),
        issues=IssueRepository(database, clock, intake_rules(settings)),
        pull_requests=pull_requests,
        places=PlaceRepository(database, clock, publishing_limits(settings)),
        bug_cases=BugCaseRepository(database),
        fix_watches=FixWatchRepository(database, clock, intake_rules(settings)),
        trace=TraceStore(database, clock, redact),
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
    secrets = await guards.secret_store(settings, database, clock)
    caches = {"mirrors": git.forget_unused, "setup_layers": setup_layers.forget_unused}
    return Equipment(tools, mailroom, workspaces, guarding, crew, comments, secrets, caches)


def _mailroom(settings: Settings, outbox: OutboxRepository, clock: Clock, redact: Redactor) -> Mailroom:
    return Mailroom(
        outbox,
        notifier(settings),
        clock,
        redact.redact,
        others=telling.others(settings, clock),
        pacing=telling.pacing(settings),
        wishes=telling.wishes(settings),
    )
