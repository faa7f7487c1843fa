"""``ai-ops issue``: what goes wrong, how often, and what people decide about it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ai_ops.cli.client import connect
from ai_ops.cli.output import JsonFlag, LimitOption, emit_json, fields, line, note, table

app = typer.Typer(no_args_is_help=True, help="Read the issues and decide about them.")


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
            ("waits", issue["waiting_reason"]),
            ("only counted", issue["only_counted"] or None),
            ("merged into", issue["merged_into"]),
            ("merged with", ", ".join(issue["fingerprints"][1:])),
        ]
    )
    line()
    line(issue["sample"]["error"]["raw_excerpt"])
    for decision in issue["decisions"]:
        line(f"{decision['at']} {decision['verb']} by {decision['who']}")


IssueId = Annotated[str, typer.Argument(help="Id of the issue.")]


@app.command("merge")
def merge_issue(
    issue_id: IssueId,
    into: Annotated[str, typer.Option(help="Id of the issue that it is merged into.")],
    as_json: JsonFlag = False,
) -> None:
    """Merge an issue into another one of its repository: from now on they are one error."""
    _say(connect().post(f"/v1/issues/{issue_id}/merge", {"into": into}), "merged into", as_json)


@app.command("split")
def split_issue(
    issue_id: IssueId,
    fingerprint: Annotated[str, typer.Option(help="The fingerprint to take out of it.")],
    as_json: JsonFlag = False,
) -> None:
    """Take a fingerprint that was merged into an issue out of it again."""
    off = connect().post(f"/v1/issues/{issue_id}/split", {"fingerprint": fingerprint})
    _say(off, "split off as", as_json)


@app.command("repair")
def repair_issue(issue_id: IssueId, as_json: JsonFlag = False) -> None:
    """Ask for a repair of an issue, whatever triage says."""
    task = connect().post(f"/v1/issues/{issue_id}/repair")
    if as_json:
        emit_json(task)
        return
    line(task["task_id"])
    if task.get("reason"):
        note(task["reason"])


def _verb(verb: str, past: str) -> None:
    def act(issue_id: IssueId, as_json: JsonFlag = False) -> None:
        _say(connect().post(f"/v1/issues/{issue_id}/{verb}"), past, as_json)

    act.__doc__ = f"{verb.capitalize()} an issue."
    app.command(verb)(act)


for _name, _past in (("ignore", "ignored"), ("resolve", "resolved"), ("reopen", "opened again")):
    _verb(_name, _past)


def _say(issue: dict[str, Any], past: str, as_json: bool) -> None:
    if as_json:
        emit_json(issue)
    else:
        note(f"{past}: issue {issue['issue_id']} is {issue['state']}")
