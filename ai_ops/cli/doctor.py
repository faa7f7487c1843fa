"""``ai-ops doctor``: whether everything a repair needs is here, and how to mend what is not."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import typer

from ai_ops.cli.exits import Exit
from ai_ops.cli.output import JsonFlag, emit_json, table
from ai_ops.core.wording import counted
from ai_ops.errors import AiOpsError

if TYPE_CHECKING:
    from ai_ops.config_places import Problem
    from ai_ops.settings import Settings

_DISK_FLOOR_BYTES = 5 * 1000**3


_CHECKED_BELOW = frozenset(
    {"SMTP_SERVER", "RECEIVER_EMAIL", "SANDBOX", "ANTHROPIC_API_KEY", "GITHUB_TOKEN", "GITLAB_TOKEN"}
)
"""The settings whose warnings a check of its own says better."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: ``ok``, ``warning`` or ``failed``, what was seen, and how to mend it."""

    check: str
    state: str
    seen: str
    mend: str = ""


def doctor(as_json: JsonFlag = False) -> None:
    """Check the settings, git, bubblewrap, Claude, credentials, database, host, mail, channels and disk."""
    from ai_ops.cli.config import examine
    from ai_ops.config_loading import ConfigurationError, load
    from ai_ops.config_places import likely

    bad, doubtful, idle = examine()
    doubtful = tuple(problem for problem in doubtful if problem.key not in _CHECKED_BELOW)
    findings = [_of_setting(problem, "failed") for problem in bad]
    findings += [_of_setting(problem, "warning") for problem in (*doubtful, *likely(idle))]
    try:
        settings = load().settings
    except ConfigurationError:
        findings.append(Finding("the rest", "warning", "not looked at", "Mend the settings first."))
    else:
        findings += asyncio.run(_examine(settings, {problem.key for problem in bad}))
    _tell(findings, as_json)
    if any(finding.state == "failed" for finding in findings):
        raise typer.Exit(Exit.FAILED)


def _of_setting(problem: Problem, state: str) -> Finding:
    return Finding(f"{problem.key} ({problem.origin})", state, problem.reason, problem.mend)


def _tell(findings: list[Finding], as_json: bool) -> None:
    rows = [asdict(finding) for finding in findings]
    if as_json:
        emit_json({"findings": rows})
    else:
        table(rows, [("check", "CHECK"), ("state", "STATE"), ("seen", "SEEN"), ("mend", "HOW TO MEND")])


Check = Callable[["Settings"], Awaitable[Finding]]


_CODE_HOST_SETTINGS = {
    "ALLOWED_REPOS",
    "GITHUB_BASE_URL",
    "GITHUB_APP_ID",
    "GITHUB_APP_PRIVATE_KEY",
    "GITLAB_BASE_URL",
}


async def _examine(settings: Settings, bad: set[str]) -> list[Finding]:
    """Make the checks; one that rests on a bad setting is left out, for the setting is named already."""
    checks: list[tuple[str, Check, set[str]]] = [
        ("git", _git, set()),
        ("sandbox", _sandbox, set()),
        ("claude", _claude, {"SCRIPTED_ANSWERS"}),
        ("claude credential", _claude_credential, set()),
        ("database", _database, {"DATABASE_URL", "TRACE_DB_PATH", "DATA_DIR"}),
        (f"code host {settings.code_host}", _code_host, _CODE_HOST_SETTINGS),
        ("mail", _mail, {"RECEIVER_EMAIL", "SMTP_SERVER", "SMTP_CA_FILE"}),
        ("webhooks and channels", _others, {"NOTIFY_URLS"}),
        ("disk", _disk, {"DATA_DIR"}),
    ]
    made = [_made(name, check, settings) for name, check, rests_on in checks if not rests_on & bad]
    return list(await asyncio.gather(*made))


async def _made(name: str, check: Check, settings: Settings) -> Finding:
    try:
        return await check(settings)
    except AiOpsError as failure:
        return Finding(name, "failed", failure.message, failure.next_step)
    except OSError as error:
        return Finding(name, "failed", str(error), "Mend what the system says.")


async def _git(settings: Settings) -> Finding:
    from ai_ops import process

    try:
        done = await process.run(["git", "--version"], env=process.clean_environment())
    except FileNotFoundError:
        return Finding("git", "failed", "not found", "Install git 2.38 or newer.")
    words = done.text.strip()
    numbers = tuple(int(part) for part in words.split()[-1].split(".")[:2] if part.isdigit())
    if numbers < (2, 38):  # merge-tree --write-tree
        return Finding("git", "failed", words, "Install git 2.38 or newer.")
    return Finding("git", "ok", words)


async def _sandbox(settings: Settings) -> Finding:
    from ai_ops.wiring.adapters import chosen_sandbox

    seen = await chosen_sandbox(settings).probe()
    if settings.sandbox == "off":
        return Finding("sandbox", "warning", "off: tests run without isolation", "Set SANDBOX=bwrap.")
    return Finding("sandbox", "ok", seen)


async def _claude(settings: Settings) -> Finding:
    if settings.scripted_answers is not None:
        return Finding("claude", "ok", f"scripted answers: {settings.scripted_answers}")
    from ai_ops.integrations import claude_cli

    version = await claude_cli.version(claude_cli.locate(settings.claude_command))
    return Finding("claude", "ok", f"CLI {version}")


async def _claude_credential(settings: Settings) -> Finding:
    from ai_ops.wiring.adapters import claude_credential

    name = "claude credential"
    if settings.scripted_answers is not None:
        return Finding(name, "ok", "none is needed for scripted answers")
    found = claude_credential(settings)
    if found is None:
        mend = "Set ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN or CLAUDE_CODE_OAUTH_TOKEN (or …_FILE)."
        return Finding(name, "failed", "none is set", mend)
    return Finding(name, "ok", f"{found.kind} is set")


async def _database(settings: Settings) -> Finding:
    from ai_ops.store.database import open_database

    database = await open_database(settings.database)
    try:
        async with database.write():
            pass
    finally:
        await database.close()
    shown = (
        "PostgreSQL"
        if settings.database_url
        else str(settings.trace_db_path or settings.data_dir / "ai_ops.db")
    )
    return Finding("database", "ok", shown)


async def _code_host(settings: Settings) -> Finding:
    name = f"code host {settings.code_host}"
    if settings.code_host == "local":
        return Finding(name, "ok", f"repositories below {', '.join(settings.allowed_repos)}")
    if settings.code_host == "gitlab":
        from ai_ops.vcs.gitlab import GitLabHost
        from ai_ops.wiring.masking import secret

        token = secret(settings.gitlab_token)
        if not token:
            return _without_token(name, "GITLAB_TOKEN")
        return Finding(name, "ok", await GitLabHost(settings.gitlab_base_url, token).check())
    from ai_ops.vcs.github import GitHubHost
    from ai_ops.wiring.code_hosts import github_account

    if not (settings.github_token or settings.github_app_id):
        return _without_token(name, "GITHUB_TOKEN")
    return Finding(name, "ok", await GitHubHost(settings.github_base_url, github_account(settings)).check())


def _without_token(name: str, setting: str) -> Finding:
    return Finding(name, "failed", f"{setting} is not set", f"Set {setting} or {setting}_FILE.")


async def _mail(settings: Settings) -> Finding:
    if not settings.email_enabled:
        return Finding("mail", "warning", "EMAIL_ENABLED=false: nobody is told", "Set EMAIL_ENABLED=true.")
    if not settings.smtp_server:
        seen = f"SMTP_SERVER is not set: mails are written to {settings.data_dir / 'outbox'}"
        return Finding("mail", "warning", seen, "Set SMTP_SERVER and RECEIVER_EMAIL.")
    if not settings.receiver_email:
        return Finding("mail", "warning", "RECEIVER_EMAIL is not set: nobody is told", "Set RECEIVER_EMAIL.")
    return Finding("mail", "ok", f"{settings.smtp_server}:{settings.smtp_port} ({settings.smtp_tls})")


async def _others(settings: Settings) -> Finding:
    from ai_ops.wiring import telling
    from ai_ops.wiring.masking import channels

    hooks, chats = len(telling.endpoints(settings)), len(channels(settings))
    seen = f"{counted(hooks, 'webhook')}, {counted(chats, 'channel')}"
    return Finding("webhooks and channels", "ok", seen)


async def _disk(settings: Settings) -> Finding:
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    free = shutil.disk_usage(settings.data_dir).free
    words = f"{free / 1000**3:.1f} GB free"
    if free < _DISK_FLOOR_BYTES:
        return Finding("disk", "failed", words, "Free some space; 5 GB is the floor.")
    return Finding("disk", "ok", words)
