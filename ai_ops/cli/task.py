"""``ai-ops task``: create, list, show, follow and steer tasks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from ai_ops.cli.client import ApiClient, connect, quoted
from ai_ops.cli.exits import CliError, Exit
from ai_ops.cli.follow import exit_as, follow, print_steps
from ai_ops.cli.options import (
    BudgetOption,
    FolderOption,
    FollowFlag,
    PriorityOption,
    ProposeFlag,
    RepoOption,
    StateOption,
    TaskId,
    TimeOption,
    ToolOption,
    TypeOption,
    WaitOption,
    given,
    watch_hint,
)
from ai_ops.cli.output import JsonFlag, LimitOption, emit_json, fields, line, note, reasons, table
from ai_ops.cli.queue import goes_on, note_holds
from ai_ops.cli.tables import Column
from ai_ops.core.wording import one_line

_SHOWN = 8000
"""Characters of an answer that are printed."""

_MOST_OF_PROMPT = 300

app = typer.Typer(no_args_is_help=True, help="Create, list, show and steer tasks.")


@app.command("list")
def list_tasks(
    state: StateOption = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind; repeats.")] = None,
    priority: Annotated[list[str] | None, typer.Option(help="Only this priority; repeats.")] = None,
    issue: Annotated[str | None, typer.Option(help="Only those of the issue with this id.")] = None,
    limit: LimitOption = 50,
    wait: WaitOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """List tasks, newest first."""
    narrowed = {"state": state, "kind": kind, "priority": priority}
    query = [(name, each) for name, wanted in narrowed.items() for each in wanted or ()]
    query += [("issue_id", issue)] if issue is not None else []
    client = connect(wait)
    items = list(client.pages("/v1/tasks", query, limit))
    if as_json:
        emit_json({"items": items})
        return
    note_holds(client)
    if not items:
        note("no tasks")
        return
    columns = [
        Column("task_id", "TASK"),
        Column("state", "STATE"),
        Column("title", "TITLE", least=20, rank=1),
        Column("verdict", "VERDICT", rank=2),
        Column("kind", "KIND", rank=6),
        Column("pull_request_state", "PULL REQUEST", rank=3),
        Column("goes_on", "GOES ON", rank=3),
        Column("outcome_reason", "REASON", least=24, rank=4),
        Column("repo_key", "REPOSITORY", rank=5),
        Column("pr_url", "LINK", rank=7),
    ]
    now = datetime.now(UTC)
    shown = (
        {**each, "verdict": each["proof"]["verdict"], "goes_on": goes_on(each["waiting_until"], now)}
        for each in items
    )
    table(shown, columns)


@app.command("show")
def show_task(
    task_id: TaskId,
    follow_it: FollowFlag = False,
    show_logs: Annotated[
        bool, typer.Option("--show-logs", help="Also the steps of the newest run; in JSON they are `trace`.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show one task: state, verdict with its reasons, and what to do next."""
    client = connect()
    task = client.get(f"/v1/tasks/{quoted(task_id)}")
    if follow_it:
        task = follow(client, task["task_id"], silent=as_json)
    trace = _kept(client.get, f"/v1/traces/{task['trace_id']}") if show_logs and task["trace_id"] else None
    if as_json:
        emit_json({**task, "trace": trace} if show_logs else task)
    else:
        print_task(task)
        if task["state"] == "pending":
            note_holds(client)
        if trace:
            line()
            print_steps(trace)
        elif show_logs and task["trace_id"]:
            note("its steps are no longer kept (TRACE_RETENTION_DAYS)")
        print_answer(client, task)
    if follow_it:
        exit_as(task)


def print_task(task: dict[str, Any]) -> None:
    """Print a task for people."""
    failure, found = task["error"] or {}, task.get("diagnosis") or {}
    state = task["pull_request_state"]
    fields(
        [
            ("task", task["task_id"]),
            ("title", task["title"]),
            ("kind", task["kind"]),
            ("type", task["type"]),
            ("asked", one_line(" ".join((task.get("prompt") or "").split()), _MOST_OF_PROMPT)),
            ("state", task["state"]),
            ("reason", task["outcome_reason"]),
            ("goes on", goes_on(task["waiting_until"], datetime.now(UTC))),
            ("cause", found.get("cause")),
            ("reproduced by", ", ".join(found.get("reproduction", ()))),
            ("tried", "; ".join(found.get("tried", ()))),
            ("repository", task["repo_url"]),
            ("folder", task["folder"]),
            ("schedule", task["schedule_id"]),
            (
                "workflow",
                f"{task['workflow_id']}, step {task['workflow_step']}" if task["workflow_id"] else "",
            ),
            ("verdict", task["proof"]["verdict"]),
            ("pull request", f"{task['pull_request_id']} ({state})" if state else task["pull_request_id"]),
            ("link", task["pr_url"]),
            ("next step", failure.get("next_step") or _next_step(task)),
            ("issue", task["issue_id"]),
            ("trace", task["trace_id"]),
            ("cost", f"{task['cost_usd']:.4f} USD"),
        ]
    )
    reasons(task["proof"])


def print_answer(client: ApiClient, task: dict[str, Any]) -> None:
    """Print what a prompt task that is done has answered, as far as it is kept."""
    if task["kind"] != "prompt" or task["state"] != "completed" or not task["trace_id"]:
        return
    answer = _kept(client.text, f"/v1/traces/{task['trace_id']}/artifacts/answer")
    if answer is None:
        return
    line()
    line(answer[:_SHOWN].rstrip())
    if len(answer) > _SHOWN:
        note(f"(all of it: ai-ops trace show {task['trace_id']} --artifact answer)")


def _kept(read: Callable[[str], Any], path: str) -> Any:
    """Return what is kept of a run, or None: it is removed by age before its task."""
    try:
        return read(path)
    except CliError as failure:
        if failure.code is not Exit.NOT_FOUND:
            raise
        return None


def _next_step(task: dict[str, Any]) -> str:
    if task["state"] != "needs_human_review":
        return ""
    if not task["has_change"]:
        return f"ai-ops task retry {task['task_id']}, or reject; there is no change to publish"
    if task["proof"]["verdict"] in ("refuted", "blocked"):
        return f"ai-ops task retry {task['task_id']}, or reject; approving publishes nothing"
    return f"ai-ops trace show {task['trace_id']} --artifact diff; then approve, reject or retry the task"


@app.command("create")
def create_task(
    name: Annotated[str, typer.Argument(help="A short name.")],
    description: Annotated[str, typer.Option("--description", "--prompt", help="What Claude is to do.")],
    task_type: TypeOption = "heavy_context",
    priority: PriorityOption = "normal",
    repo_url: RepoOption = None,
    folder: FolderOption = None,
    allowed_tool: ToolOption = None,
    budget_usd: BudgetOption = None,
    timeout_seconds: TimeOption = None,
    pull_request: ProposeFlag = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the Claude command it would run, and create nothing.")
    ] = False,
    follow_it: FollowFlag = False,
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
    body |= given(
        {
            "repo_url": repo_url,
            "folder": folder,
            "allowed_tools": allowed_tool,
            "budget_usd": budget_usd,
            "timeout_seconds": timeout_seconds,
            "pull_request": pull_request,
        }
    )
    client = connect()
    if dry_run:
        plan = client.post("/v1/tasks?dry_run=true", body)
        show_plan(plan, as_json=as_json)
        left = [each for each in allowed_tool or () if each.partition("(")[0] not in plan["tools"]]
        if left:
            note(f"left out, for {plan['type']} does not have it: {', '.join(left)}")
        return
    tell_created(client, client.post("/v1/tasks", body), follow_it=follow_it, as_json=as_json)


def tell_created(client: ApiClient, task: dict[str, Any], *, follow_it: bool, as_json: bool) -> None:
    """Print a task that was just made, at once or when its run is over."""
    if not as_json:
        line(task["task_id"])
        if "busy" in task:
            note(task["busy"])
    if follow_it:
        task = follow(client, task["task_id"], silent=as_json)
    if as_json:
        emit_json(task)
    elif follow_it:
        print_task(task)
        print_answer(client, task)
    if follow_it:
        exit_as(task)


def show_plan(plan: dict[str, Any], *, as_json: bool) -> None:
    """Print what a task would do."""
    if as_json:
        emit_json(plan)
        return
    line(plan["command"])
    does = "may write" if plan["writes"] else "reads only"
    note(f"{plan['type']}; {does}; cut off, it goes on by {plan['recovery']}")
    note(f"costs at most {plan['budget_usd']:.2f} USD, whatever the CLI is told")
    if plan["egress"]:
        note(f"reaches: {', '.join(plan['egress_allow']) or 'no host (EGRESS_ALLOW is empty)'}")
    note("nothing was created")


def _cancelled(task: dict[str, Any]) -> str:
    return f"the task is {task['state']}"


def _paused(task: dict[str, Any]) -> str:
    return f"the task is {task['state']}; go on with: ai-ops task resume {task['task_id']}"


def _resumed(task: dict[str, Any]) -> str:
    return f"the task is {task['state']}; {watch_hint(task['task_id'])}"


def _retried(task: dict[str, Any]) -> str:
    return f"run {task['run_number']} waits for its turn; {watch_hint(task['task_id'])}"


def _approved(task: dict[str, Any]) -> str:
    if task["state"] == "completed":
        return f"nothing is published: {task['outcome_reason']}; the task is completed"
    return f"approved; run {task['run_number']} publishes the change; {watch_hint(task['task_id'])}"


def _rejected(task: dict[str, Any]) -> str:
    return f"rejected; nothing is published; the task is {task['state']}"


def _verb(verb: str, does: str, words: Callable[[dict[str, Any]], str]) -> None:
    def act(task_id: TaskId, as_json: JsonFlag = False) -> None:
        task = connect().post(f"/v1/tasks/{quoted(task_id)}/{verb}")
        if as_json:
            emit_json(task)
        else:
            note(words(task))

    act.__doc__ = does
    app.command(verb)(act)


_verb("cancel", "Interrupt a task at once.", _cancelled)
_verb("pause", "Interrupt a task at once, and keep what it has done.", _paused)
_verb("resume", "Go on with a paused task; one that waits looks at once whether the wait is over.", _resumed)
_verb("retry", "Begin a new run of a task that failed, was cancelled or waits for review.", _retried)
_verb("approve", "Publish the change that waits for review; a refuted or blocked one never is.", _approved)
_verb("reject", "End a task that waits for review without publishing anything.", _rejected)
