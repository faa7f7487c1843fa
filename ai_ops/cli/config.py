"""``ai-ops config``: the effective settings and where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import typer

from ai_ops.cli.exits import Exit
from ai_ops.cli.output import JsonFlag, emit_json, line, note, table
from ai_ops.config_places import Problem
from ai_ops.core.wording import counted

_FINE = "The settings are fine."

app = typer.Typer(no_args_is_help=True, help="Show and check the settings.")


@app.command("show")
def show_config(as_json: JsonFlag = False) -> None:
    """Print every setting with its origin; secrets are masked."""
    from ai_ops.config_loading import load
    from ai_ops.settings import Settings, masked

    loaded = load()
    rows = [
        {
            "key": name.upper(),
            "value": masked(getattr(loaded.settings, name)),
            "origin": loaded.origins.get(name, "default"),
        }
        for name in Settings.model_fields
    ]
    if as_json:
        emit_json({"settings": rows})
    else:
        table(rows, [("key", "KEY"), ("value", "VALUE"), ("origin", "FROM")])


@app.command("check")
def check_config(as_json: JsonFlag = False) -> None:
    """Name every bad setting, why, and how to mend it; exit 1 when there is one."""
    found, doubtful, idle = examine()
    doubtful = (*doubtful, *idle)
    if as_json:
        shown = [asdict(problem) for problem in doubtful]
        emit_json({"ok": not found, "problems": [asdict(p) for p in found], "warnings": shown})
    else:
        _tell(found, doubtful)
    if found:
        raise typer.Exit(Exit.FAILED)


def examine() -> tuple[tuple[Problem, ...], tuple[Problem, ...], tuple[Problem, ...]]:
    """Return what a server cannot start on, what was hardly meant, and what in the files has no effect."""
    from ai_ops.config_loading import ConfigurationError, load
    from ai_ops.preflight import listening_problems, problems, warnings

    try:
        loaded = load()
    except ConfigurationError as error:
        return error.problems, (), error.idle
    return (*problems(loaded), *listening_problems(loaded)), warnings(loaded), loaded.idle


def _tell(found: Sequence[Problem], doubtful: Sequence[Problem]) -> None:
    from ai_ops.config_places import likely

    for problem in found:
        line(str(problem))
    mistakes = likely(doubtful)
    for warning in mistakes:
        line(f"warning: {warning}")
    if others := [problem.key for problem in doubtful if problem not in mistakes]:
        note(f"Not settings of AI-Ops, and left alone: {', '.join(others)}.")
    if found:
        note(f"{counted(len(found), 'problem')}: a server does not start on these settings.")
    else:
        note(f"The settings are fine, with {counted(len(mistakes), 'warning')}." if mistakes else _FINE)
