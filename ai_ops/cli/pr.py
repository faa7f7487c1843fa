"""``ai-ops pr``: the pull requests, and the merge of local ones."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ai_ops.cli.client import connect
from ai_ops.cli.output import JsonFlag, LimitOption, emit_json, fields, line, note, table

app = typer.Typer(no_args_is_help=True, help="Review pull requests.")

PullRequestId = Annotated[str, typer.Argument(help="Id of the pull request.")]


@app.command("list")
def list_pull_requests(limit: LimitOption = 50, as_json: JsonFlag = False) -> None:
    """List pull requests, newest first."""
    items = list(connect().pages("/v1/pull-requests", [], limit))
    if as_json:
        emit_json({"items": items})
        return
    if not items:
        note("no pull requests")
        return
    columns = [
        ("pull_request_id", "PULL REQUEST"),
        ("state", "STATE"),
        ("verdict", "VERDICT"),
        ("title", "TITLE"),
        ("url", "URL"),
    ]
    table(({**item, "verdict": item["proof"]["verdict"]} for item in items), columns)


@app.command("show")
def show_pull_request(pull_request_id: PullRequestId, as_json: JsonFlag = False) -> None:
    """Show one pull request with its proof and its diff."""
    found = connect().get(f"/v1/pull-requests/{pull_request_id}")
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
            ("state", found["state"]),
            ("url", found["url"]),
            ("branch", f"{found['branch']} into {found['base']}"),
            ("commit", found["head_sha"]),
            ("verdict", found["proof"]["verdict"]),
        ]
    )
    for reason in found["proof"]["reasons"]:
        line(f"  - {reason['rule']} {reason['place']}: {reason['text']}")
    line()
    line(found["diff"].rstrip("\n"))


@app.command("merge")
def merge_pull_request(pull_request_id: PullRequestId, as_json: JsonFlag = False) -> None:
    """Merge a local pull request."""
    merged = connect().post(f"/v1/pull-requests/{pull_request_id}/merge")
    if as_json:
        emit_json(merged)
    else:
        note(f"merged into {merged['base']}")
