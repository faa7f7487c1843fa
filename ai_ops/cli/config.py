"""``ai-ops config``: the effective settings and where they come from."""

from __future__ import annotations

import typer

from ai_ops.cli.exits import Exit
from ai_ops.cli.output import JsonFlag, emit_json, note, table

app = typer.Typer(no_args_is_help=True, help="Show and check the settings.")


@app.command("show")
def show_config(as_json: JsonFlag = False) -> None:
    """Print every setting with its origin; secrets are masked."""
    from ai_ops.settings import Settings, load, masked

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
    """Name every bad setting and why; exit 1 when there is one."""
    from ai_ops.settings import ConfigurationError, load

    try:
        load()
    except ConfigurationError as error:
        rows = [{"key": p.key, "origin": p.origin, "reason": p.reason} for p in error.problems]
        if as_json:
            emit_json({"ok": False, "problems": rows})
        else:
            table(rows, [("key", "KEY"), ("origin", "FROM"), ("reason", "PROBLEM")])
        raise typer.Exit(Exit.FAILED) from None
    if as_json:
        emit_json({"ok": True, "problems": []})
    else:
        note("the settings are fine")
