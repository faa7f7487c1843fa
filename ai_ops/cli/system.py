"""``ai-ops system``: the server as a whole."""

from __future__ import annotations

import typer

from ai_ops.cli import housekeeping

app = typer.Typer(no_args_is_help=True, help="The server as a whole: its health, cleaning and backups.")
app.command("status")(housekeeping.status)
app.command("cleanup")(housekeeping.cleanup)
app.command("backup")(housekeeping.backup)
app.command("restore")(housekeeping.restore)
