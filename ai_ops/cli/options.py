"""Arguments and options that the clients of the API share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

_WHOLE = "whole or its beginning, six characters or more."

WaitOption = Annotated[
    int,
    typer.Option("--wait", min=0, max=3600, help="Seconds that a server which is starting has to answer."),
]
FollowFlag = Annotated[
    bool,
    typer.Option(
        "--follow", help="Print the run as it happens until it is over; exit 1 unless it is completed then."
    ),
]
TaskId = Annotated[str, typer.Argument(metavar="TASK", help=f"Id of the task, {_WHOLE}")]
StateOption = Annotated[list[str] | None, typer.Option("--state", help="Only this state; repeats.")]
IssueId = Annotated[str, typer.Argument(metavar="ISSUE", help=f"Id of the issue, {_WHOLE}")]
TraceId = Annotated[str, typer.Argument(metavar="TRACE", help=f"Id of the trace, {_WHOLE}")]
PullRequestId = Annotated[
    str, typer.Argument(metavar="PULL_REQUEST", help=f"Id of the pull request, {_WHOLE}")
]
ScheduleId = Annotated[str, typer.Argument(metavar="SCHEDULE", help=f"Id of the schedule, {_WHOLE}")]
WorkflowId = Annotated[str, typer.Argument(metavar="WORKFLOW", help=f"Id of the workflow, {_WHOLE}")]
ParamOption = Annotated[
    list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="A parameter's value; repeats.")
]
TypeOption = Annotated[str, typer.Option("--type", help="lightweight, medium_context or heavy_context.")]
PriorityOption = Annotated[str, typer.Option("--priority", help="low, normal, high or urgent.")]
RepoOption = Annotated[str | None, typer.Option("--repo-url", help="Repository to work on.")]
FolderOption = Annotated[str | None, typer.Option("--folder", help="Folder of the server to work in.")]
ToolOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allowed-tool", help="Only this tool of the type's, as Read or 'Bash(git log:*)'; repeats."
    ),
]
BudgetOption = Annotated[float | None, typer.Option("--budget-usd", help="What it may cost, in US dollars.")]
TimeOption = Annotated[float | None, typer.Option("--timeout-seconds", help="How long it may take.")]
ProposeFlag = Annotated[bool, typer.Option("--pull-request", help="Open a pull request of what it writes.")]
BugCaseId = Annotated[str, typer.Argument(metavar="BUG_CASE", help=f"Id of the bug case, {_WHOLE}")]
NotificationId = Annotated[
    str, typer.Argument(metavar="NOTIFICATION", help=f"Id of the notification, {_WHOLE}")
]


def watch_hint(task_id: str) -> str:
    """Return how a task that goes on is looked at."""
    return f"watch it with: ai-ops task show --follow {task_id}"


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given; a flag that was not is False, and no number is."""
    return {
        name: value for name, value in options.items() if value not in (None, "", []) and value is not False
    }
