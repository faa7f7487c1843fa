"""``ai-ops system``: the server as a whole."""

from __future__ import annotations

import typer

from ai_ops.cli import housekeeping, queue

app = typer.Typer(no_args_is_help=True, help="The server as a whole: health, queue, cleaning, backups.")
app.command("status")(housekeeping.status)
app.command("cleanup")(housekeeping.cleanup)
app.command("backup")(housekeeping.backup)
app.command("restore")(housekeeping.restore)
app.add_typer(queue.maintenance, name="maintenance")
app.command("queue")(queue.show_queue)
app.command("resume")(queue.resume_queue)
