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
from ai_ops.errors import AiOpsError

if TYPE_CHECKING:
    from ai_ops.settings import Settings

_DISK_FLOOR_BYTES = 5 * 1000**3


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: ``ok``, ``warning`` or ``failed``, what was seen, and how to mend it."""

    check: str
    state: str
    seen: str
    mend: str = ""


def doctor(as_json: JsonFlag = False) -> None:
    """Check git, bubblewrap, Claude, credentials, database, code host and disk."""
    from ai_ops.settings import load

    settings = load().settings
    findings = asyncio.run(_examine(settings))
    if as_json:
        emit_json({"findings": [asdict(finding) for finding in findings]})
    else:
        rows = [asdict(finding) for finding in findings]
        table(rows, [("check", "CHECK"), ("state", "STATE"), ("seen", "SEEN"), ("mend", "HOW TO MEND")])
    if any(finding.state == "failed" for finding in findings):
        raise typer.Exit(Exit.FAILED)


async def _examine(settings: Settings) -> list[Finding]:
    checks: list[tuple[str, Callable[[Settings], Awaitable[Finding]]]] = [
        ("git", _git),
        ("sandbox", _sandbox),
        ("claude", _claude),
        ("claude credential", _claude_credential),
        ("database", _database),
        ("code host", _code_host),
        ("mail", _mail),
        ("disk", _disk),
    ]
    findings = []
    for name, check in checks:
        try:
            findings.append(await check(settings))
        except AiOpsError as failure:
            findings.append(Finding(name, "failed", failure.message, failure.next_step))
    return findings


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
    from ai_ops.workspace.sandbox import choose

    seen = await choose(settings.sandbox).probe()
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
    from ai_ops.wiring import claude_credential

    name = "claude credential"
    found = claude_credential(settings)
    if found is None:
        mend = "Set ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN or CLAUDE_CODE_OAUTH_TOKEN (or …_FILE)."
        state = "warning" if settings.scripted_answers else "failed"
        return Finding(name, state, "none", mend)
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
    if settings.code_host == "github":
        from ai_ops.vcs.github import GitHubHost
        from ai_ops.wiring import secret

        token = secret(settings.github_token)
        if not token:
            return Finding(
                name, "failed", "GITHUB_TOKEN is not set", "Set GITHUB_TOKEN or GITHUB_TOKEN_FILE."
            )
        return Finding(name, "ok", await GitHubHost(settings.github_base_url, token).check())
    if settings.code_host == "local":
        return Finding(name, "ok", "below " + ", ".join(settings.allowed_repos))
    return Finding(name, "failed", "not supported by this version", "Set CODE_HOST to github or local.")


async def _mail(settings: Settings) -> Finding:
    if not settings.email_enabled:
        return Finding("mail", "warning", "EMAIL_ENABLED=false: nobody is told", "Set EMAIL_ENABLED=true.")
    if not settings.smtp_server:
        seen = f"SMTP_SERVER is not set: mails are written to {settings.data_dir / 'outbox'}"
        return Finding("mail", "warning", seen, "Set SMTP_SERVER and RECEIVER_EMAIL.")
    if not settings.receiver_email:
        return Finding("mail", "failed", "RECEIVER_EMAIL is not set", "Set RECEIVER_EMAIL.")
    return Finding("mail", "ok", f"{settings.smtp_server}:{settings.smtp_port} ({settings.smtp_tls})")


async def _disk(settings: Settings) -> Finding:
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    free = shutil.disk_usage(settings.data_dir).free
    words = f"{free / 1000**3:.1f} GB free"
    if free < _DISK_FLOOR_BYTES:
        return Finding("disk", "failed", words, "Free some space; 5 GB is the floor.")
    return Finding("disk", "ok", words)
