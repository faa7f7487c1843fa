"""Arguments and options that the clients of the API share."""

from __future__ import annotations

from typing import Annotated

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
BugCaseId = Annotated[str, typer.Argument(metavar="BUG_CASE", help=f"Id of the bug case, {_WHOLE}")]
NotificationId = Annotated[
    str, typer.Argument(metavar="NOTIFICATION", help=f"Id of the notification, {_WHOLE}")
]
