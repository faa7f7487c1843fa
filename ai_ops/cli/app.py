"""The command line, composed from one file per command group."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer
from typer.main import get_command

import ai_ops
from ai_ops.cli import (
    alert,
    bug,
    config,
    demo,
    doctor,
    issue,
    local,
    notification,
    pr,
    replay,
    schedule,
    security,
    serve,
    system,
    task,
    template,
    trace,
    worker,
    workflow,
)
from ai_ops.cli.exits import CliError, Exit
from ai_ops.cli.flags import without_values
from ai_ops.cli.output import finish, note
from ai_ops.errors import AiOpsError

app = typer.Typer(
    name="ai-ops",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="From a production log line to a proved pull request.",
)
app.command("server")(serve.server)
app.command("local")(local.local)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("replay")(replay.replay)
app.add_typer(task.app, name="task")
app.add_typer(issue.app, name="issue")
app.add_typer(trace.app, name="trace")
app.add_typer(pr.app, name="pr")
app.add_typer(bug.app, name="bug")
app.add_typer(notification.app, name="notification")
app.add_typer(schedule.app, name="schedule")
app.add_typer(template.app, name="template")
app.add_typer(workflow.app, name="workflow")
app.add_typer(worker.app, name="worker")
app.add_typer(alert.app, name="alert")
app.add_typer(system.app, name="system")
app.add_typer(security.app, name="security")
app.add_typer(config.app, name="config")


@app.command("agent", context_settings={"ignore_unknown_options": True, "help_option_names": []})
def agent(arguments: Annotated[list[str] | None, typer.Argument(hidden=True)] = None) -> None:
    """Follow log files and ship their errors to a server (ai-ops agent --help)."""
    from ai_ops.agent.__main__ import main

    raise typer.Exit(main(arguments or []))


def _version(wanted: bool) -> None:
    if wanted:
        _tell_version()
        raise typer.Exit


def _tell_version() -> None:
    sys.stdout.write(f"ai-ops {ai_ops.__version__}\n")


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def run() -> int:
    """Run the command line and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # not every terminal can show every character
    try:
        return _run()
    except CliError as error:
        note(f"ai-ops: {error}")
        return error.code
    except AiOpsError as failure:
        note("ai-ops: " + failure.message.replace("\n", "\n        "))
        if failure.next_step:
            note(f"        {failure.next_step}")
        wrong = failure.code in ("configuration_invalid", "options_invalid")
        return Exit.USAGE if wrong else Exit.FAILED


def _run() -> int:
    if sys.argv[-1] == "--version":  # of a subcommand too: there is one version
        _tell_version()
        return Exit.DONE
    try:
        without_values(get_command(app))()
        finish()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return Exit.DONE
