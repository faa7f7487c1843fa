"""``ai-ops schedule``: prompt tasks that come again and again."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ai_ops.cli.client import connect, quoted
from ai_ops.cli.exits import CliError, Exit
from ai_ops.cli.options import (
    BudgetOption,
    FolderOption,
    FollowFlag,
    PriorityOption,
    ProposeFlag,
    RepoOption,
    ScheduleId,
    TimeOption,
    ToolOption,
    TypeOption,
    WaitOption,
    given,
)
from ai_ops.cli.output import JsonFlag, LimitOption, emit_json, fields, line, moment, note, table
from ai_ops.cli.tables import Column
from ai_ops.cli.task import tell_created
from ai_ops.errors import PermanentError

if TYPE_CHECKING:
    from ai_ops.cli.importing import Import

app = typer.Typer(no_args_is_help=True, help="Make prompt tasks again and again, at set times.")

CronArgument = Annotated[
    str, typer.Argument(metavar="CRON", help="Five fields, or @hourly, @daily, @weekly, @monthly, @yearly.")
]
ZoneOption = Annotated[str, typer.Option("--timezone", help="Name of its time zone, e.g. Europe/Berlin.")]
MissedOption = Annotated[
    str | None, typer.Option(help="Times without a server: skip, coalesce (one task for all) or catch_up.")
]
OverlapOption = Annotated[
    str | None, typer.Option(help="While the task before is not over: skip, queue or replace it.")
]


@app.command("list")
def list_schedules(limit: LimitOption = 50, wait: WaitOption = 0, as_json: JsonFlag = False) -> None:
    """List schedules, newest first."""
    items = list(connect(wait).pages("/v1/schedules", [], limit))
    if as_json:
        emit_json({"items": items})
        return
    if not items:
        note("no schedules")
        return
    columns = [
        Column("schedule_id", "SCHEDULE"),
        Column("name", "NAME", least=16, rank=1),
        Column("state", "STATE"),
        Column("words", "WHEN", least=24, rank=2),
        Column("next", "NEXT (UTC)", rank=3),
        Column("last", "LAST (UTC)", rank=5),
        Column("last_outcome", "OUTCOME", rank=4),
        Column("cron", "CRON", rank=6),
    ]
    rows = (
        {
            **item,
            "state": "enabled" if item["enabled"] else "disabled",
            "next": moment(item["next_run"]),
            "last": moment(item["last_run"]),
        }
        for item in items
    )
    table(rows, columns)


@app.command("show")
def show_schedule(schedule_id: ScheduleId, as_json: JsonFlag = False) -> None:
    """Show one schedule: its task, its next times, and what became of the newest."""
    found = connect().get(f"/v1/schedules/{quoted(schedule_id)}")
    if as_json:
        emit_json(found)
        return
    _print(found)
    if found["ticks"]:
        line()
        columns = [
            Column("due", "DUE (UTC)"),
            Column("outcome", "OUTCOME"),
            Column("task_id", "TASK"),
            Column("reason", "REASON", least=24, rank=1),
        ]
        table(({**tick, "due": moment(tick["due_at"])} for tick in found["ticks"]), columns)


@app.command("create")
def create_schedule(
    name: Annotated[str, typer.Argument(help="A short name.")],
    cron: CronArgument,
    prompt: Annotated[str, typer.Option(help="What Claude is to do each time.")],
    timezone: ZoneOption = "UTC",
    task_type: TypeOption = "lightweight",
    priority: PriorityOption = "normal",
    repo_url: RepoOption = None,
    folder: FolderOption = None,
    allowed_tool: ToolOption = None,
    budget_usd: BudgetOption = None,
    timeout_seconds: TimeOption = None,
    pull_request: ProposeFlag = False,
    missed: MissedOption = None,
    overlap: OverlapOption = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Do not begin yet.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Create a schedule."""
    task = {"prompt": prompt, "name": name, "type": task_type, "priority": priority} | given(
        {
            "repo_url": repo_url,
            "folder": folder,
            "allowed_tools": allowed_tool,
            "budget_usd": budget_usd,
            "timeout_seconds": timeout_seconds,
            "pull_request": pull_request,
        }
    )
    body = {"name": name, "cron": cron, "timezone": timezone, "enabled": not disabled, "task": task}
    body |= given({"missed": missed, "overlap": overlap})
    _answer(connect().post("/v1/schedules", body), as_json=as_json)


@app.command("edit")
def edit_schedule(
    schedule_id: ScheduleId,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    cron: Annotated[str | None, typer.Option(help="Other times.")] = None,
    timezone: Annotated[str | None, typer.Option(help="Another time zone.")] = None,
    prompt: Annotated[str | None, typer.Option(help="What Claude is to do from now on.")] = None,
    task_type: Annotated[str | None, typer.Option("--type", help="Another type of its tasks.")] = None,
    budget_usd: BudgetOption = None,
    missed: MissedOption = None,
    overlap: OverlapOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Change a schedule; what is not given stays."""
    times = {"name": name, "cron": cron, "timezone": timezone, "missed": missed, "overlap": overlap}
    body: dict[str, Any] = {key: value for key, value in times.items() if value is not None}
    wished = {"prompt": prompt, "type": task_type, "budget_usd": budget_usd}
    of_task = {key: value for key, value in wished.items() if value is not None}
    if not body and not of_task:
        raise CliError(Exit.USAGE, "nothing to change; see ai-ops schedule edit --help")
    client, path = connect(), f"/v1/schedules/{quoted(schedule_id)}"
    if of_task:  # a task is changed as a whole; that it may use no tool is a list of none
        task = client.get(path)["task"]
        body["task"] = {key: value for key, value in task.items() if value not in (None, "")} | of_task
    _answer(client.patch(path, body), as_json=as_json)


@app.command("enable")
def enable_schedule(schedule_id: ScheduleId, as_json: JsonFlag = False) -> None:
    """Let a schedule run again, from its next time on."""
    body = {"enabled": True}
    _answer(connect().patch(f"/v1/schedules/{quoted(schedule_id)}", body), as_json=as_json)


@app.command("disable")
def disable_schedule(schedule_id: ScheduleId, as_json: JsonFlag = False) -> None:
    """Keep a schedule, but make no tasks of it."""
    body = {"enabled": False}
    _answer(connect().patch(f"/v1/schedules/{quoted(schedule_id)}", body), as_json=as_json)


@app.command("run")
def run_schedule(schedule_id: ScheduleId, follow_it: FollowFlag = False, as_json: JsonFlag = False) -> None:
    """Make the task of a schedule now; its times stay as they are."""
    client = connect()
    made = client.post(f"/v1/schedules/{quoted(schedule_id)}/run")
    tell_created(client, made, follow_it=follow_it, as_json=as_json)


@app.command("delete")
def delete_schedule(schedule_id: ScheduleId, as_json: JsonFlag = False) -> None:
    """Delete a schedule; the tasks that it made stay."""
    connect().delete(f"/v1/schedules/{quoted(schedule_id)}")
    if as_json:
        emit_json({"deleted": True})
    else:
        note("deleted; the tasks that it made stay")


@app.command("preview")
def preview(
    cron: CronArgument,
    timezone: ZoneOption = "UTC",
    count: Annotated[int, typer.Option(min=1, max=100, help="How many times.")] = 5,
    as_json: JsonFlag = False,
) -> None:
    """Say when a cron expression is due, in words and in times; no server is asked."""
    from ai_ops.core.schedules import parse, words

    try:
        read = parse(cron, timezone)
    except PermanentError as failure:
        raise CliError(Exit.USAGE, f"{failure.message}. {failure.next_step}") from None
    moments = [each.astimezone(read.zone) for each in islice(read.moments(datetime.now(UTC)), count)]
    if as_json:
        emit_json({"words": words(read), "next_runs": [each.isoformat() for each in moments]})
        return
    line(words(read))
    for each in moments:
        line(f"{each:%a %Y-%m-%d %H:%M %Z}")


@app.command("import")
def import_file(
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, readable=True, help="A scheduled.json or a queue.json."),
    ],
    timezone: ZoneOption = "UTC",
    repo_url: Annotated[str | None, typer.Option(help="Repository in place of their workspaces.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be made.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Make the schedules of a scheduled.json or the tasks of a queue.json; done again, none twice."""
    from ai_ops.cli.importing import plan_import

    wanted = plan_import(file.read_bytes(), timezone=timezone, repo_url=repo_url)
    if wanted.problems:
        raise CliError(Exit.USAGE, "\n".join([f"{file}: nothing was imported:", *wanted.problems]))
    results = [_imported(each, dry_run=dry_run) for each in wanted.items]
    failed = [each for each in results if each["outcome"] == "refused"]
    if as_json:
        emit_json({"items": results})
    else:
        columns = [
            Column("external_id", "ID IN THE FILE"),
            Column("kind", "KIND"),
            Column("outcome", "OUTCOME"),
            Column("id", "ID"),
            Column("reason", "REASON", least=24, rank=1),
        ]
        table(results, columns)
    if dry_run:
        note("the server was not asked: it may still refuse what it does not allow")
    if failed:
        others = "; the others are there" if len(failed) < len(results) else ""
        raise CliError(Exit.REFUSED, f"{len(failed)} of {len(results)} were refused{others}")


def _imported(wanted: Import, *, dry_run: bool) -> dict[str, Any]:
    told = {"external_id": wanted.external_id, "kind": wanted.kind, "id": None, "reason": ""}
    if dry_run:
        return told | {"outcome": "would be made"}
    try:
        status, made = connect().created(wanted.path, wanted.body, key=wanted.key)
    except CliError as failure:
        if failure.code is Exit.UNREACHABLE:
            raise
        return told | {"outcome": "refused", "reason": str(failure)}
    outcome = "made" if status == 201 else "was there"
    return told | {"outcome": outcome, "id": made.get("schedule_id") or made.get("task_id")}


def _answer(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit_json(found)
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    task = found["task"]
    fields(
        [
            ("schedule", found["schedule_id"]),
            ("name", found["name"]),
            ("when", found["words"]),
            ("cron", found["cron"]),
            ("state", "enabled" if found["enabled"] else "disabled"),
            ("next runs (UTC)", ", ".join(str(moment(each)) for each in found["next_runs"])),
            ("missed times", found["missed"]),
            ("overlap", found["overlap"]),
            ("last run (UTC)", moment(found["last_run"]) if found["last_run"] else ""),
            ("last outcome", ": ".join(filter(None, (found["last_outcome"], found["last_reason"])))),
            ("last task", found["last_task_id"]),
            ("task", task["name"]),
            ("type", task["type"]),
            ("priority", task["priority"]),
            ("repository", task["repo_url"]),
            ("folder", task["folder"]),
            ("tools", ", ".join(task["allowed_tools"] or ())),
            ("budget", f"{task['budget_usd']:.2f} USD" if task["budget_usd"] else ""),
            ("time", f"{task['timeout_seconds']:g} s" if task["timeout_seconds"] else ""),
            ("pull request", "of what it writes" if task["pull_request"] else ""),
            ("prompt", task["prompt"]),
        ]
    )
