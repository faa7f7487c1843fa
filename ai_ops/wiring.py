"""The only place that constructs adapters: settings in, a running server or local monitor out."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from ai_ops.core.budgets import Budgets
from ai_ops.core.clock import SystemClock
from ai_ops.core.flood import IntakeRules
from ai_ops.core.identity import run_id
from ai_ops.core.model_names import is_allowed
from ai_ops.core.orchestrator.paced import PacedFixer
from ai_ops.core.orchestrator.tools import Policy, Tools
from ai_ops.core.orchestrator.upkeep import Upkeep
from ai_ops.core.orchestrator.waking import Waking
from ai_ops.core.orchestrator.worker import Worker
from ai_ops.core.ports import CodeHost, Fixer, Ledger, Notifier, Sandbox
from ai_ops.core.ports import Worker as Work
from ai_ops.core.redaction import Redactor
from ai_ops.core.repository import RepositoryRules
from ai_ops.core.wording import counted
from ai_ops.engine.durable import DurableEngine
from ai_ops.errors import PermanentError
from ai_ops.flow.bug_case import Reach
from ai_ops.flow.fixing import FixMode
from ai_ops.flow.repository import Repository
from ai_ops.integrations.claude_direct import DirectFixer
from ai_ops.integrations.claude_gateway import ClaudeGateway
from ai_ops.integrations.claude_gateway import Credential as ClaudeCredential
from ai_ops.integrations.deferred import DeferredFixer
from ai_ops.integrations.mail.files import FileNotifier
from ai_ops.integrations.mail.mailroom import Mailroom
from ai_ops.integrations.mail.smtp import SmtpNotifier, SmtpOptions
from ai_ops.integrations.scripted import ScriptedFixer
from ai_ops.server.auth import Keyring, require_safe_listening
from ai_ops.server.http_server import Listening, build_app, listen
from ai_ops.server.node_rates import NodeRates
from ai_ops.server.senders.mapping import Sender, Senders
from ai_ops.server.services import Services
from ai_ops.settings import Settings
from ai_ops.store.bug_cases import BugCaseRepository
from ai_ops.store.database import Database, open_database
from ai_ops.store.ids import IdRepository
from ai_ops.store.issues import IssueRepository
from ai_ops.store.ledger import LedgerRepository
from ai_ops.store.outbox import OutboxRepository
from ai_ops.store.pauses import PauseRepository
from ai_ops.store.pull_requests import PullRequestRepository
from ai_ops.store.retention import Retention
from ai_ops.store.tasks import TaskRepository
from ai_ops.trace.trace_store import TraceStore
from ai_ops.vcs.credentials import Credential, token_credential
from ai_ops.vcs.git import GitClient
from ai_ops.vcs.github import GitHubHost, home_of
from ai_ops.vcs.local import LocalHost
from ai_ops.workspace import edits
from ai_ops.workspace.choosing import AutoSandbox, choose, toolchains_of
from ai_ops.workspace.orphans import kill_orphans
from ai_ops.workspace.profile import SandboxLimits
from ai_ops.workspace.sandbox import BubblewrapSandbox, OffSandbox
from ai_ops.workspace.setup_layer import SetupBuilder
from ai_ops.workspace.suite import SuiteRunner
from ai_ops.workspace.toolbox import ensure_toolbox
from ai_ops.workspace.workspace_manager import WorkspaceManager

log = logging.getLogger(__name__)

_FALLBACK_RECEIVER = "on-call@localhost.localdomain"
_FALLBACK_SENDER = "ai-ops@localhost.localdomain"

WrapWorker = Callable[[Work], Work]
"""Puts something around the worker; tests make it fail at a chosen moment."""


def secret(value: SecretStr | None) -> str:
    """Return a secret's value, empty when it is not set."""
    return value.get_secret_value() if value else ""


def repository_rules(settings: Settings) -> RepositoryRules:
    """Return which repositories may be worked on."""
    return RepositoryRules(
        code_host=settings.code_host,
        github_base_url=settings.github_base_url,
        gitlab_base_url=settings.gitlab_base_url,
        allowed_repos=settings.allowed_repos,
    )


def redactor(settings: Settings) -> Redactor:
    """Return a redactor that also knows this server's own secrets."""
    values = [getattr(settings, name) for name in Settings.model_fields]
    flat = [item for value in values for item in (value if isinstance(value, tuple) else (value,))]
    literals = [secret(item) for item in flat if isinstance(item, SecretStr)]
    return Redactor(
        extra_patterns=[rule.pattern for rule in settings.redact],
        literals=[literal for literal in literals if len(literal) >= 8],
    )


def fixer(settings: Settings, sandbox: Sandbox, ledger: Ledger) -> Fixer:
    """Return the fixer: Claude, or the script that ``SCRIPTED_ANSWERS`` names."""
    if settings.scripted_answers is not None:
        return ScriptedFixer(settings.scripted_answers)
    gateway = ClaudeGateway(settings.anthropic_base_url, claude_credential(settings), ledger)

    def build_claude() -> Fixer:
        from ai_ops.integrations.claude import ClaudeFixer

        return ClaudeFixer(
            gateway,
            sandbox,
            command=settings.claude_command,
            args=settings.claude_args,
            model=settings.claude_model,
            allowed_models=settings.claude_allowed_models,
        )

    allowed = settings.claude_allowed_models
    return DirectFixer(gateway, DeferredFixer(build_claude), allowed_models=allowed)


def claude_credential(settings: Settings) -> ClaudeCredential | None:
    """Return the credential that counts, or None."""
    return ClaudeCredential.choose(
        api_key=secret(settings.anthropic_api_key),
        auth_token=secret(settings.anthropic_auth_token),
        oauth_token=secret(settings.claude_code_oauth_token),
    )


def notifier(settings: Settings) -> Notifier:
    """Return how mail leaves: by SMTP, or into files."""
    sender = settings.smtp_sender or (settings.smtp_user if "@" in settings.smtp_user else _FALLBACK_SENDER)
    if not settings.smtp_server:
        return FileNotifier(settings.data_dir / "outbox", sender)
    return SmtpNotifier(
        SmtpOptions(
            server=settings.smtp_server,
            port=settings.smtp_port,
            sender=sender,
            tls=settings.smtp_tls,
            user=settings.smtp_user,
            password=secret(settings.smtp_password),
            ca_file=settings.smtp_ca_file,
        )
    )


def recipients(settings: Settings) -> tuple[str, ...]:
    """Return who gets mail; files need no real address."""
    if not settings.email_enabled:
        return ()
    if settings.receiver_email or settings.smtp_server:
        return settings.receiver_email
    return (_FALLBACK_RECEIVER,)


def git_client(settings: Settings) -> GitClient:
    """Return git, with a token only for the configured host."""
    github = urlsplit(settings.github_base_url)
    http_hosts = [github.netloc] if github.scheme == "http" else []

    def credentials(repository: Repository) -> Credential | None:
        # A repository elsewhere may count as one of GitHub's by its code_host; the token stays at home.
        if repository.code_host != "github" or repository.key.partition("/")[0] != home_of(
            settings.github_base_url
        ):
            return None
        return token_credential("github", secret(settings.github_token))

    return GitClient(
        settings.data_dir.absolute() / "mirrors",
        credentials,
        allow_file=settings.code_host == "local" or bool(settings.allowed_repos),
        http_hosts=http_hosts,
        is_named=repository_rules(settings).names,
    )


def chosen_sandbox(settings: Settings) -> BubblewrapSandbox | OffSandbox | AutoSandbox:
    """Return where untrusted commands run."""
    limits = SandboxLimits(
        memory_bytes=settings.sandbox_memory_mb * 2**20,
        processes=settings.sandbox_processes,
        cpu_seconds=settings.sandbox_cpu_seconds,
        disk_bytes=settings.sandbox_disk_mb * 2**20,
        files=settings.sandbox_files,
    )
    return choose(settings.sandbox, limits, owner=settings.workspaces_dir, image=settings.sandbox_image)


def policy(settings: Settings, salt: str, public_url: str) -> Policy:
    """Return what this server allows."""
    return Policy(
        fix_mode=FixMode(settings.claude_fix_mode),
        require_proof=settings.require_proof,
        max_rounds=settings.max_rounds,
        fuzzy_edits=settings.fuzzy_edits,
        budget_usd_per_run=settings.budget_usd_per_run,
        budget_usd_per_hour=settings.budget_usd_per_hour,
        budget_usd_per_day=settings.budget_usd_per_day,
        max_open_pull_requests=settings.max_open_pull_requests,
        recipients=recipients(settings),
        model=settings.claude_model,
        wall_seconds=settings.claude_wall_seconds,
        idle_seconds=settings.claude_idle_seconds,
        public_url=public_url,
        nonce_salt=salt,
        sandbox=settings.sandbox,
        bug_case_reach=Reach(settings.bug_case_reach),
        triage_model=triage_model(settings),
    )


def triage_model(settings: Settings) -> str:
    """Return the model that judges errors; empty where it is ``none``, or not among the allowed ones."""
    model = settings.claude_triage_model
    return model if model != "none" and is_allowed(model, settings.claude_allowed_models) else ""


def intake_rules(settings: Settings) -> IntakeRules:
    """Return what intake allows."""
    return IntakeRules(
        stored_per_minute=settings.events_per_minute_per_issue,
        tasks_per_hour=settings.spike_tasks_per_hour,
        storm_fingerprints=settings.storm_fingerprints,
        storm_seconds=settings.storm_window_seconds,
        expected=settings.expected_rules,
    )


def _salt(data_dir: Path) -> str:
    """Return this server's secret for nonces, kept so that a request made again has the same one."""
    path = data_dir / "salt"
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        fresh = data_dir / f".salt-{os.getpid()}"
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_hex(16), encoding="ascii")
        with contextlib.suppress(FileExistsError):  # another process may win; then its salt counts
            os.link(fresh, path)
        fresh.unlink()
    return path.read_text(encoding="ascii")


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
    salt = await asyncio.to_thread(_salt, settings.data_dir)
    database = await open_database(settings.database)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        sandbox = chosen_sandbox(settings)
        toolbox = await ensure_toolbox(settings.data_dir)
        git = git_client(settings)
        trace = TraceStore(database, clock, redact)
        budgets = Budgets(settings.budget_usd_per_hour, settings.budget_usd_per_day)
        ledger = LedgerRepository(database, clock, budgets)
        pauses = PauseRepository(database, clock, _account(settings, salt))
        pull_requests = PullRequestRepository(database, clock)
        outbox = OutboxRepository(database)
        mailroom = Mailroom(outbox, notifier(settings), clock, redact.redact)
        workspaces = WorkspaceManager(settings.workspaces_dir, git, overlays=overlays)
        tools = Tools(
            tasks=TaskRepository(database, clock),
            issues=IssueRepository(database, clock, intake_rules(settings)),
            pull_requests=pull_requests,
            bug_cases=BugCaseRepository(database),
            trace=trace,
            outbox=outbox,
            git=git,
            history=git,
            workspaces=workspaces,
            suites=SuiteRunner(
                sandbox, toolbox, wall_seconds=settings.test_wall_seconds, find=toolchains_of(sandbox)
            ),
            setup_layers=SetupBuilder(
                sandbox,
                toolbox,
                settings.data_dir,
                network=settings.setup_network,
                find=toolchains_of(sandbox),
            ),
            edits=edits,
            fixer=PacedFixer(fixer(settings, sandbox, ledger), pauses, clock),
            hosts=_hosts(settings, pull_requests, git),
            mailroom=mailroom,
            sandbox=sandbox,
            clock=clock,
            policy=policy(settings, salt, public_url),
            redact=redact.redact,
            ledger=ledger,
            pauses=pauses,
        )
        worker = Worker(tools)
        engine = DurableEngine(
            f"sqlite:///{settings.data_dir.absolute() / 'engine.db'}",
            settings.data_dir,
            wrap(worker) if wrap else worker,
            tools.tasks,
            trace,
            failing=worker.fail,
            max_concurrent=settings.max_concurrent_tasks,
        )
        await engine.start()
        stack.push_async_callback(engine.stop)
        # Only now is the data folder ours alone; nobody can ask for new work yet.
        await asyncio.to_thread(kill_orphans, settings.workspaces_dir)
        if isinstance(sandbox, AutoSandbox):
            await _look_at(sandbox)
        unfinished = await tools.tasks.unfinished()
        await workspaces.sweep({run_id(task.id, task.run_number) for task in unfinished})
        retention = Retention(database, clock, settings.event_retention_days, settings.trace_retention_days)
        system = System(
            settings,
            tools,
            engine,
            repository_rules(settings),
            redact,
            database,
            mailroom,
            sandbox,
            retention,
        )
        delivering = asyncio.create_task(mailroom.run(), name="outbox")
        stack.push_async_callback(_cancel, delivering)
        upkeep = Upkeep(tools.issues, engine, retention, redact.redact)
        stack.push_async_callback(_cancel, asyncio.create_task(upkeep.run(), name="upkeep"))
        waking = Waking(tools.tasks, pauses, engine, clock)
        stack.push_async_callback(_cancel, asyncio.create_task(waking.run(), name="waking"))
        yield system


async def _look_at(sandbox: AutoSandbox) -> None:
    """Say which sandbox is used and why, and remove what a killed server left in it."""
    try:
        log.info("sandbox: %s", await sandbox.probe())
    except PermanentError as error:
        log.warning("runs are refused, there is no sandbox: %s", error.message)
    if left := await sandbox.clear():
        log.info("removed %s left behind", counted(len(left), "container"))


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _account(settings: Settings, salt: str) -> str:
    """Return a digest of who asks whom, that tells another credential but nothing about it."""
    credential = claude_credential(settings)
    secret_words = (credential.kind, credential.secret) if credential else ()
    words = (salt, settings.anthropic_base_url, *secret_words)
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:32]


def _hosts(settings: Settings, pull_requests: PullRequestRepository, git: GitClient) -> dict[str, CodeHost]:
    return {
        "local": LocalHost(pull_requests, git),
        "github": GitHubHost(settings.github_base_url, secret(settings.github_token)),
    }


def services(system: System) -> Services:
    """Return what the HTTP handlers work with."""
    settings, tools = system.settings, system.tools
    keys = tuple(secret(key) for key in settings.server_agent_keys)
    return Services(
        issues=tools.issues,
        tasks=tools.tasks,
        pull_requests=tools.pull_requests,
        bug_cases=tools.bug_cases,
        bug_case_reach=tools.policy.bug_case_reach,
        trace=tools.trace,
        pauses=tools.pauses,
        engine=system.engine,
        hosts=tools.hosts,
        rules=system.rules,
        redactor=system.redactor,
        keyring=Keyring(secret(settings.server_api_key), keys),
        clock=tools.clock,
        ready=system.ready,
        node_rates=NodeRates(settings.events_per_minute_per_node),
        removed=system.retention.removed,
        ids=IdRepository(system.database),
        public_url=tools.policy.public_url,
        senders=Senders(tuple(_senders(settings))),
    )


def _senders(settings: Settings) -> Iterator[Sender]:
    for table in settings.source:
        if table.kind in ("otlp", "sentry"):
            yield Sender(
                table.kind,
                table.project if table.kind == "sentry" else table.service,
                table.repo_url,
                table.code_host,
                table.service,
                table.environment,
                table.release,
            )


@contextlib.asynccontextmanager
async def serving(
    settings: Settings, *, wrap: WrapWorker | None = None, overlays: bool = False
) -> AsyncIterator[tuple[System, Listening]]:
    """Run the server while entered; ``overlays`` is as for ``build``.

    Raises:
        PermanentError: ``unsafe_listening``, ``address_in_use``.
        AiOpsError: as ``build``.
    """
    try:
        require_safe_listening(settings.http_host, secret(settings.server_api_key))
    except ValueError as error:
        raise PermanentError("unsafe_listening", str(error)) from None
    public_url = settings.public_url.rstrip("/") or settings.own_address
    async with build(settings, public_url, wrap=wrap, overlays=overlays) as system:
        try:
            listening = await listen(build_app(services(system)), settings.http_host, settings.http_port)
        except OSError as error:
            raise PermanentError(
                "address_in_use",
                f"cannot listen on {settings.http_host}:{settings.http_port}: {error.strerror}",
                next_step="Stop the other program, or choose another HTTP_PORT.",
            ) from error
        try:
            yield system, listening
        finally:
            await listening.stop()


def with_free_port(settings: Settings) -> Settings:
    """Return the settings with a free port instead of 0, so that links can name it before it is bound."""
    if settings.http_port:
        return settings
    import socket

    with socket.socket() as probe:
        probe.bind((settings.http_host, 0))
        return settings.model_copy(update={"http_port": probe.getsockname()[1]})
