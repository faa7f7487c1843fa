"""``ai-ops security``: look for what is sensitive, report what was found, verify the audit log, unblock."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ai_ops.cli.client import connect, quoted
from ai_ops.cli.exits import CliError, Exit
from ai_ops.cli.options import TaskId, watch_hint
from ai_ops.cli.output import JsonFlag, LimitOption, emit_json, line, moment, note, table
from ai_ops.cli.tables import Column
from ai_ops.flow.judgement import Role, Severity

app = typer.Typer(no_args_is_help=True, help="Scan, report, audit, and let held commands go on.")

_MOST_BYTES = 4 * 2**20
_SKIPPED = frozenset({".git", "node_modules", ".venv", "venv", "__pycache__", "target", "dist", "build"})

DaysOption = Annotated[float, typer.Option("--days", min=0.01, max=3650, help="Of the last days.")]


class _UnblockRole(StrEnum):
    REVIEWER = Role.REVIEWER
    ADMIN = Role.ADMIN


@app.command("scan")
def scan_command(
    path: Annotated[
        Path | None, typer.Argument(help="A file, a folder (a repository's checkout), or - for the input.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="A text instead.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 4 when something is found.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Find secrets, personal data and dangerous commands; shown masked. No server is asked."""
    if (path is None) == (text is None):
        raise CliError(Exit.USAGE, "give a path, - for the input, or --text")
    from ai_ops.core.redaction import Redactor
    from ai_ops.core.scanning import scan

    redactor = Redactor()
    items = [
        {"file": name, "line": each.line, "kind": each.kind, "text": each.text}
        for name, content, commands in _texts(path, text)
        for each in scan(content, redactor, commands=commands)
    ]
    if as_json:
        emit_json({"items": items})
    elif items:
        columns = [Column("file", "FILE", rank=1), Column("line", "LINE"), Column("kind", "KIND")]
        rows = ({**item, "line": item["line"] or None} for item in items)
        table(rows, [*columns, Column("text", "MASKED", least=24, rank=2)])
    else:
        note("nothing was found")
    if items and strict:
        raise CliError(Exit.REFUSED, f"{len(items)} found")


def _texts(path: Path | None, text: str | None) -> Iterator[tuple[str, str, bool]]:
    """Yield (name, text, whether its words may be commands)."""
    if text is not None:
        yield "", text, True
    elif path is None or str(path) == "-":
        yield "-", sys.stdin.read(), True
    elif path.is_file():
        yield str(path), _read(path), True
    elif path.is_dir():
        for folder, folders, files in os.walk(path):
            folders[:] = sorted(name for name in folders if name not in _SKIPPED)
            for name in sorted(files):
                file = Path(folder, name)
                if file.is_file() and not file.is_symlink():
                    yield str(file.relative_to(path)), _read(file), False
    else:
        raise CliError(Exit.NOT_FOUND, f"{path} is not there")


def _read(file: Path) -> str:
    """Return a text file's beginning; nothing for a binary one, or one that may not be read."""
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST_BYTES)
            if stream.read(1):
                note(f"{file}: only its first {_MOST_BYTES >> 20} MiB were looked at")
    except OSError as error:
        note(f"{file}: {error.strerror}")
        return ""
    return "" if b"\0" in content[:8192] else content.decode("utf-8", "replace")


@app.command("report")
def report(
    severity: Annotated[list[Severity] | None, typer.Option(help="Only these; repeats.")] = None,
    days: DaysOption = 30,
    limit: LimitOption = 100,
    as_json: JsonFlag = False,
) -> None:
    """Show what rules and policies found, newest first, and how often."""
    query = [("severity", str(each)) for each in severity or ()]
    query += [("days", f"{days:g}"), ("limit", str(min(limit, 200)))]
    found = connect().get("/v1/security/report", query)
    if as_json:
        emit_json(found)
        return
    if not found["items"]:
        note("no findings")
        return
    for name, counts in found["counts"].items():
        line(f"{name}: " + ", ".join(f"{word} {number}" for word, number in sorted(counts.items())))
    columns = [
        Column("when", "AT (UTC)", rank=3),
        Column("severity", "SEVERITY"),
        Column("decision", "DECISION"),
        Column("rule", "RULE"),
        Column("task_id", "TASK", rank=2),
        Column("text", "FOUND", least=24, rank=1),
    ]
    table(({**item, "when": moment(item["at"])} for item in found["items"]), columns)


@app.command("audit")
def audit(
    days: DaysOption = 30,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check the whole log; exit 1 when it was touched.")
    ] = False,
    limit: LimitOption = 100,
    as_json: JsonFlag = False,
) -> None:
    """Show who decided what, newest first; with --verify only whether the log is as it was written."""
    query = [("days", f"{days:g}"), ("limit", str(min(limit, 200))), ("verify", str(verify).lower())]
    found = connect().get("/v1/security/audit", query)
    if as_json:
        emit_json(found)
    elif not verify:
        columns = [
            Column("seq", "LINE"),
            Column("when", "AT (UTC)", rank=2),
            Column("who", "WHO"),
            Column("verb", "VERB", least=24, rank=1),
            Column("subject", "ABOUT", rank=3),
        ]
        table(({**item, "when": moment(item["at"])} for item in found["items"]), columns)
    if verify:
        _tell(found["verified"])


def _tell(verified: dict[str, Any]) -> None:
    if verified["intact"]:
        note(f"{verified['lines']} lines, all as they were written")
        return
    faults = [f"line {fault['seq']}: {fault['reason']}" for fault in verified["faults"]]
    raise CliError(Exit.FAILED, "the audit log was touched:\n" + "\n".join(faults))


@app.command("unblock")
def unblock(
    task_id: TaskId,
    reason: Annotated[str, typer.Option(help="Why; it stands in the audit log. Needed.")] = "",
    role: Annotated[
        _UnblockRole | None, typer.Option(help="As what: what a rule blocks takes an admin. Needed.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Let exactly the commands that a task was held for go on."""
    needed = {"--reason": reason, f"--role ({' or '.join(_UnblockRole)})": role}
    if missing := [name for name, value in needed.items() if not value]:  # all of them, not the first alone
        raise CliError(Exit.USAGE, f"give {' and '.join(missing)}")
    body = {"reason": reason, "role": str(role)}
    found = connect().post(f"/v1/security/tasks/{quoted(task_id)}/unblock", body)
    if as_json:
        emit_json(found)
        return
    line(f"{found['task_id']} {found['state']}")
    note(watch_hint(found["task_id"]))
