"""``ai-ops pr``: the pull requests, and the merge of local ones."""

from __future__ import annotations

import contextlib
from typing import Any

import typer

from ai_ops.cli.client import connect, quoted
from ai_ops.cli.exits import CliError
from ai_ops.cli.options import PullRequestId, WaitOption
from ai_ops.cli.output import JsonFlag, LimitOption, emit_json, fields, line, note, reasons, table, watched
from ai_ops.cli.tables import Column

app = typer.Typer(no_args_is_help=True, help="Review pull requests.")


@app.command("list")
def list_pull_requests(limit: LimitOption = 50, wait: WaitOption = 0, as_json: JsonFlag = False) -> None:
    """List pull requests, newest first."""
    items = list(connect(wait).pages("/v1/pull-requests", [], limit))
    if as_json:
        emit_json({"items": items})
        return
    if not items:
        note("no pull requests")
        return
    columns = [
        Column("pull_request_id", "PULL REQUEST"),
        Column("state", "STATE"),
        Column("verdict", "VERDICT", rank=2),
        Column("title", "TITLE", least=20, rank=1),
        Column("url", "LINK", rank=3),
    ]
    table(({**item, "verdict": item["proof"]["verdict"]} for item in items), columns)


@app.command("show")
def show_pull_request(pull_request_id: PullRequestId, as_json: JsonFlag = False) -> None:
    """Show one pull request with its proof and its diff."""
    found = connect().get(f"/v1/pull-requests/{quoted(pull_request_id)}")
    if as_json:
        emit_json(found)
    else:
        print_pull_request(found)


def print_pull_request(found: dict[str, Any]) -> None:
    """Print a pull request for people."""
    fields(
        [
            ("pull request", found["pull_request_id"]),
            ("title", found["title"]),
            ("state", f"{found['state']}{', a draft' if found['draft'] else ''}"),
            ("link", found["url"]),
            ("branch", f"{found['branch']} into {found['base']}"),
            ("commit", found["head_sha"]),
            ("task", found["task_id"]),
            ("verdict", found["proof"]["verdict"]),
        ]
    )
    watched(found.get("fix_watches", ()))
    reasons(found["proof"])
    line()
    line(found["diff"].rstrip("\n"))


@app.command("merge")
def merge_pull_request(pull_request_id: PullRequestId, as_json: JsonFlag = False) -> None:
    """Merge a local pull request, and say what becomes of its issue."""
    client = connect()
    merged = client.post(f"/v1/pull-requests/{quoted(pull_request_id)}/merge")
    if as_json:
        emit_json(merged)
        return
    if merged["merge_sha"]:
        note(f"merged into {merged['base']} by {merged['merge_sha']}")
    else:
        note(f"it is merged into {merged['base']} already")
    issue: dict[str, Any] = {}
    if merged["issue_id"]:
        with contextlib.suppress(CliError):  # the merge is done, whatever becomes of the question
            issue = client.get(f"/v1/issues/{merged['issue_id']}")
    if issue.get("state") == "open":
        note(
            f"its issue stays open until builds that hold the fix have stayed quiet: "
            f"ai-ops issue show {issue['issue_id']} says how that stands"
        )
