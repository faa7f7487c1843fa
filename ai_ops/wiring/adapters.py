"""Settings in, adapters out: each function constructs one."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
from pathlib import Path

from ai_ops.core.admission import QueueRules
from ai_ops.core.commit_rules import CommitRules
from ai_ops.core.egress import EgressRules
from ai_ops.core.flood import IntakeRules
from ai_ops.core.model_names import is_allowed
from ai_ops.core.orchestrator.tools import Policy
from ai_ops.core.ports import Fixer, Ledger, Notifier, Sandbox
from ai_ops.core.publishing_limits import PublishingLimits
from ai_ops.core.repository import RepositoryRules
from ai_ops.core.retry import RetryRules
from ai_ops.flow.bug_case import Reach
from ai_ops.flow.fixing import FixMode
from ai_ops.integrations.claude_args import parse_args
from ai_ops.integrations.claude_direct import DirectFixer
from ai_ops.integrations.claude_gateway import ClaudeGateway
from ai_ops.integrations.claude_gateway import Credential as ClaudeCredential
from ai_ops.integrations.deferred import DeferredFixer
from ai_ops.integrations.mail.files import FileNotifier
from ai_ops.integrations.mail.smtp import SmtpNotifier, SmtpOptions
from ai_ops.integrations.scripted import ScriptedFixer
from ai_ops.settings import Settings
from ai_ops.vcs.pinning import look_up
from ai_ops.wiring import telling
from ai_ops.wiring.masking import secret
from ai_ops.workspace.choosing import AutoSandbox, choose
from ai_ops.workspace.profile import SandboxLimits
from ai_ops.workspace.sandbox import BubblewrapSandbox, OffSandbox
from ai_ops.workspace.task_folders import TaskFolders

log = logging.getLogger(__name__)


_FALLBACK_RECEIVER = "on-call@localhost.localdomain"


_FALLBACK_SENDER = "ai-ops@localhost.localdomain"


def repository_rules(settings: Settings) -> RepositoryRules:
    """Return which repositories may be worked on."""
    return RepositoryRules(
        code_host=settings.code_host,
        github_base_url=settings.github_base_url,
        gitlab_base_url=settings.gitlab_base_url,
        allowed_repos=settings.allowed_repos,
    )


def fixer(settings: Settings, sandbox: Sandbox, ledger: Ledger) -> Fixer:
    """Return the fixer: Claude, or the script that ``SCRIPTED_ANSWERS`` names."""
    if settings.scripted_answers is not None:
        return ScriptedFixer(settings.scripted_answers)
    gateway = ClaudeGateway(settings.anthropic_base_url, claude_credential(settings), ledger)

    def build_claude() -> Fixer:
        from ai_ops.integrations.claude import ClaudeFixer
        from ai_ops.integrations.egress import EgressProxy

        return ClaudeFixer(
            gateway,
            sandbox,
            command=settings.claude_command,
            args=settings.claude_args,
            model=settings.claude_model,
            allowed_models=settings.claude_allowed_models,
            egress=EgressProxy(EgressRules.of(settings.egress_allow), look_up),
            output_bytes=settings.sandbox_output_mb * 10**6,
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


def task_folders(settings: Settings) -> TaskFolders:
    """Return the folders of this server that tasks may work in."""
    return TaskFolders(settings.task_folders, (settings.data_dir, settings.workspaces_dir))


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
        recipients=(*recipients(settings), *telling.receivers(settings)),
        model=settings.claude_model,
        wall_seconds=settings.claude_wall_seconds,
        idle_seconds=settings.claude_idle_seconds,
        public_url=public_url,
        nonce_salt=salt,
        sandbox=settings.sandbox,
        bug_case_reach=Reach(settings.bug_case_reach),
        triage_model=triage_model(settings),
        draft_until_green=settings.draft_until_green,
        ci_wait_seconds=settings.ci_wait_minutes * 60,
        ci_repair_rounds=settings.ci_repair_rounds,
        commits=commit_rules(settings),
        mail_reviewers=settings.email_enabled and settings.mail_reviewers,
        mail_domains=settings.mail_domains,
        claude_args=parse_args(settings.claude_args),
        retries=RetryRules(
            settings.retry_tries, settings.retry_first_seconds, settings.retry_longest_seconds
        ),
    )


def commit_rules(settings: Settings) -> CommitRules:
    """Return what follows the message of each commit. A script that answers for Claude is no author."""
    return CommitRules(
        settings.commit_author_name,
        settings.commit_author_email,
        settings.commit_signoff,
        "" if settings.scripted_answers else settings.commit_co_author,
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
        publishing=publishing_limits(settings),
    )


def queue_rules(settings: Settings) -> QueueRules:
    """Return how many prompt tasks may wait."""
    return QueueRules(settings.queue_high, settings.queue_low)


def publishing_limits(settings: Settings) -> PublishingLimits:
    """Return how many pull requests people are asked to read."""
    return PublishingLimits(
        open_at_once=settings.max_open_pull_requests,
        per_hour=settings.pull_requests_per_hour,
        per_day=settings.pull_requests_per_day,
        server_per_hour=settings.pull_requests_per_hour_total,
        server_per_day=settings.pull_requests_per_day_total,
    )


def salt_of(data_dir: Path) -> str:
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


def account(settings: Settings, salt: str) -> str:
    """Return a digest of who asks whom, that tells another credential but nothing about it."""
    credential = claude_credential(settings)
    secret_words = (credential.kind, credential.secret) if credential else ()
    words = (salt, settings.anthropic_base_url, *secret_words)
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:32]


def with_free_port(settings: Settings) -> Settings:
    """Return the settings with a free port instead of 0, so that links can name it before it is bound."""
    if settings.http_port:
        return settings
    import socket

    with socket.socket() as probe:
        probe.bind((settings.http_host, 0))
        return settings.model_copy(update={"http_port": probe.getsockname()[1]})
