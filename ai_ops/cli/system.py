"""``ai-ops system``: the server as a whole."""

from __future__ import annotations

import typer

from ai_ops.cli import queue

app = typer.Typer(no_args_is_help=True, help="The server as a whole: its queue and maintenance.")
app.add_typer(queue.maintenance, name="maintenance")
app.command("queue")(queue.show_queue)
app.command("resume")(queue.resume_queue)
