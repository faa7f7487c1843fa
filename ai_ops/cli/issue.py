"""``ai-ops issue``: what goes wrong, and how often."""

from __future__ import annotations

from typing import Annotated

import typer

from ai_ops.cli.client import connect
from ai_ops.cli.output import JsonFlag, LimitOption, emit_json, fields, line, note, table

app = typer.Typer(no_args_is_help=True, help="Read the issues.")


@app.command("list")
def list_issues(limit: LimitOption = 50, as_json: JsonFlag = False) -> None:
    """List issues, newest first."""
    items = list(connect().pages("/v1/issues", [], limit))
    if as_json:
        emit_json({"items": items})
        return
    if not items:
        note("no issues")
        return
    columns = [
        ("issue_id", "ISSUE"),
        ("title", "TITLE"),
        ("count", "SEEN"),
        ("last_seen", "LAST SEEN"),
        ("state", "STATE"),
        ("triage_class", "TRIAGE"),
    ]
    table(({**item, "triage_class": item["triage"]["triage_class"]} for item in items), columns)


@app.command("show")
def show_issue(
    issue_id: Annotated[str, typer.Argument(help="Id of the issue.")], as_json: JsonFlag = False
) -> None:
    """Show one issue with its newest error."""
    issue = connect().get(f"/v1/issues/{issue_id}")
    if as_json:
        emit_json(issue)
        return
    triage = issue["triage"]
    fields(
        [
            ("issue", issue["issue_id"]),
            ("title", issue["title"]),
            ("state", issue["state"]),
            ("seen", issue["count"]),
            ("first seen", issue["first_seen"]),
            ("last seen", issue["last_seen"]),
            ("repository", issue["repo_url"]),
            ("fingerprint", issue["fingerprint"]),
            ("episode", issue["episode"]),
            ("triage", f"{triage['triage_class']}: {triage['reason']}"),
        ]
    )
    line()
    line(issue["sample"]["error"]["raw_excerpt"])
