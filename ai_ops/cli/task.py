"""``ai-ops task``: create, list, show, follow and steer tasks."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ai_ops.cli.client import connect
from ai_ops.cli.output import JsonFlag, LimitOption, emit_json, fields, line, note, table
from ai_ops.cli.trace import print_steps

app = typer.Typer(no_args_is_help=True, help="Create, list, show and steer tasks.")

TaskId = Annotated[str, typer.Argument(help="Id of the task.")]


@app.command("list")
def list_tasks(
    state: Annotated[list[str] | None, typer.Option(help="Only this state; repeats.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind; repeats.")] = None,
    limit: LimitOption = 50,
    as_json: JsonFlag = False,
) -> None:
    """List tasks, newest first."""
    query = [("state", s) for s in state or ()] + [("kind", k) for k in kind or ()]
    items = list(connect().pages("/v1/tasks", query, limit))
    if as_json:
        emit_json({"items": items})
        return
    if not items:
        note("no tasks")
        return
    columns = [
        ("task_id", "TASK"),
        ("kind", "KIND"),
        ("state", "STATE"),
        ("verdict", "VERDICT"),
        ("outcome_reason", "REASON"),
        ("pr_url", "PULL REQUEST"),
    ]
    table(({**item, "verdict": item["proof"]["verdict"]} for item in items), columns)


@app.command("show")
def show_task(
    task_id: TaskId,
    show_logs: Annotated[bool, typer.Option("--show-logs", help="Also the steps of the newest run.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show one task: state, verdict with its reasons, and what to do next."""
    client = connect()
    task = client.get(f"/v1/tasks/{task_id}")
    if as_json:
        emit_json(task)
        return
    print_task(task)
    if show_logs and task["trace_id"]:
        line()
        print_steps(client.get(f"/v1/traces/{task['trace_id']}"))


def print_task(task: dict[str, Any]) -> None:
    """Print a task for people."""
    failure = task["error"] or {}
    fields(
        [
            ("task", task["task_id"]),
            ("kind", task["kind"]),
            ("state", task["state"]),
            ("reason", task["outcome_reason"]),
            ("repository", task["repo_url"]),
            ("verdict", task["proof"]["verdict"]),
            ("pull request", task["pr_url"]),
            ("error", failure.get("message")),
            ("next step", failure.get("next_step")),
            ("issue", task["issue_id"]),
            ("trace", task["trace_id"]),
            ("cost", f"{task['cost_usd']:.4f} USD"),
        ]
    )
    for reason in task["proof"]["reasons"]:
        line(f"  - {reason['rule']} {reason['place']}: {reason['text']}")


@app.command("create")
def create_task(
    name: Annotated[str, typer.Argument(help="A short name.")],
    description: Annotated[str, typer.Option(help="What Claude is to do.")],
    task_type: Annotated[
        str, typer.Option("--type", help="lightweight, medium_context or heavy_context.")
    ] = "lightweight",
    priority: Annotated[str, typer.Option(help="low, normal, high or urgent.")] = "normal",
    repo_url: Annotated[str | None, typer.Option(help="Repository to work on.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Create a prompt task."""
    body: dict[str, Any] = {
        "prompt": description,
        "name": name,
        "description": description,
        "type": task_type,
        "priority": priority,
    }
    if repo_url:
        body["repo_url"] = repo_url
    task = connect().post("/v1/tasks", body)
    if as_json:
        emit_json(task)
    else:
        line(task["task_id"])


def _verb(verb: str, past: str) -> None:
    def act(task_id: TaskId, as_json: JsonFlag = False) -> None:
        task = connect().post(f"/v1/tasks/{task_id}/{verb}")
        if as_json:
            emit_json(task)
        else:
            note(f"{past}; the task is {task['state']}")

    act.__doc__ = f"{verb.capitalize()} a task."
    app.command(verb)(act)


for _name, _past in (
    ("cancel", "cancelled"),
    ("retry", "retried"),
    ("approve", "approved"),
    ("reject", "rejected"),
):
    _verb(_name, _past)
