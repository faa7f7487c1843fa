"""How the installation is, what is removed from it, and its backups, for ``ai-ops system``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ai_ops.cli.client import connect
from ai_ops.cli.exits import CliError, Exit
from ai_ops.cli.options import WaitOption
from ai_ops.cli.output import JsonFlag, emit_json, fields, line, moment, note, table
from ai_ops.errors import PermanentError

_REFUSED = frozenset({"backup_exists", "backup_newer", "backup_unsupported", "data_dir_in_use"})

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where everything is kept. [DATA_DIR]")]


def status(wait: WaitOption = 0, as_json: JsonFlag = False) -> None:
    """Say how the installation is; exit 1 when an alert is open."""
    found = connect(wait).get("/v1/system")
    if as_json:
        emit_json(found)
    else:
        _print(found)
    if found["alerts"]:
        raise typer.Exit(Exit.FAILED)


def _print(found: dict[str, Any]) -> None:
    table(
        ({**check, "how": check["severity"] or "ok"} for check in found["checks"]),
        [("name", "CHECK"), ("how", "HOW"), ("text", "SEEN"), ("next_step", "NEXT STEP")],
    )
    line()
    names = ("tasks", "issues", "pull_requests", "notifications")
    counts = [(name.replace("_", " "), _counted(found[name])) for name in names]
    fields([("checked (UTC)", moment(found["checked_at"])), *counts])
    for alert in found["alerts"]:
        note(f"{alert['severity']} {alert['key']}: {alert['text']}")


def _counted(numbers: dict[str, int]) -> str:
    return ", ".join(f"{number} {state}" for state, number in sorted(numbers.items()))


def cleanup(
    days: Annotated[int, typer.Option(min=1, max=3650, help="Remove what is older than this.")],
    as_json: JsonFlag = False,
) -> None:
    """Remove old events, traces, folders of runs, mirrors and set-up layers now."""
    done = connect().post("/v1/system/cleanup", {"days": days})
    if as_json:
        emit_json(done)
        return
    fields([(kind.replace("_", " "), str(number)) for kind, number in done["removed"].items()])
    line(f"{'disk free:':<16} {done['free_after'] / 1000**3:.1f} GB")


def backup(file: FileArgument, data_dir: DataDir = None, as_json: JsonFlag = False) -> None:
    """Put all that must not be lost into one file; the server may run meanwhile."""
    if not file.absolute().parent.is_dir():  # a mistyped path would make a folder that nobody looks into
        folder = file.absolute().parent
        raise CliError(Exit.NOT_FOUND, f"there is no folder {folder}; make it first, or mend the path")
    from ai_ops.config_loading import load
    from ai_ops.store.backup import back_up
    from ai_ops.wiring.overseeing import backup_places

    with _named():
        made = back_up(backup_places(load({"data_dir": data_dir}).settings), file.absolute())
    if as_json:
        emit_json(
            {
                "file": str(made.file),
                "schema": made.schema,
                "created_at": made.created_at.isoformat(),
                "files": [{"name": name, "bytes": size} for name, size in made.files.items()],
            }
        )
        return
    fields([("backup", made.file), ("schema", made.schema)])
    fields([(name, f"{size} bytes") for name, size in made.files.items()])


def restore(file: FileArgument, data_dir: DataDir = None, as_json: JsonFlag = False) -> None:
    """Put a backup in the place of what is there, while no server runs."""
    from ai_ops.config_loading import load
    from ai_ops.store.restore import restore as put_in_place
    from ai_ops.wiring.overseeing import backup_places, restoring

    if not file.is_file():
        raise CliError(Exit.NOT_FOUND, f"there is no file {file}")
    with _named():
        places = backup_places(load({"data_dir": data_dir}).settings)
        with restoring(places.data_dir):
            done = put_in_place(places, file)
    kept = [str(folder) for folder in done.kept]
    if as_json:
        emit_json(
            {
                "schema": done.schema,
                "created_at": done.created_at,
                "version": done.version,
                "files": list(done.files),
                "kept": kept,
            }
        )
        return
    fields([("restored", ", ".join(done.files)), ("backed up", done.created_at), ("schema", done.schema)])
    for folder in kept:
        line(f"{'kept:':<16} {folder} (what was there before)")


@contextmanager
def _named() -> Iterator[None]:
    """End with the exit code for a refusal where that is what the failure is."""
    try:
        yield
    except PermanentError as failure:
        if failure.code in _REFUSED:
            step = f" {failure.next_step}" if failure.next_step else ""
            raise CliError(Exit.REFUSED, f"{failure.message}{step} ({failure.code})") from None
        raise
