"""``ai-ops issue``: what goes wrong, how often, and what people decide about it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ai_ops.cli.client import connect, quoted
from ai_ops.cli.options import IssueId, StateOption, WaitOption
from ai_ops.cli.output import JsonFlag, LimitOption, emit_json, fields, line, moment, note, table, watched
from ai_ops.cli.tables import Column

app = typer.Typer(no_args_is_help=True, help="Read the issues and decide about them.")


@app.command("list")
def list_issues(
    state: StateOption = None, limit: LimitOption = 50, wait: WaitOption = 0, as_json: JsonFlag = False
) -> None:
    """List issues, newest first."""
    items = list(connect(wait).pages("/v1/issues", [("state", each) for each in state or ()], limit))
    if as_json:
        emit_json({"items": items})
        return
    if not items:
        note("no issues")
        return
    columns = [
        Column("issue_id", "ISSUE"),
        Column("title", "TITLE", least=24, rank=1),
        Column("count", "SEEN"),
        Column("last", "LAST SEEN (UTC)", rank=5),
        Column("state", "STATE", rank=2),
        Column("triage_class", "TRIAGE", rank=3),
        Column("repo_key", "REPOSITORY", rank=4),
    ]
    rows = (
        {**item, "last": moment(item["last_seen"]), "triage_class": item["triage"]["triage_class"]}
        for item in items
    )
    table(rows, columns)


@app.command("show")
def show_issue(issue_id: IssueId, as_json: JsonFlag = False) -> None:
    """Show one issue with its newest error and its newest tasks."""
    client = connect()
    issue = client.get(f"/v1/issues/{quoted(issue_id)}")
    if as_json:
        emit_json(issue)
        return
    triage = issue["triage"]
    fields(
        [
            ("issue", issue["issue_id"]),
            ("title", issue["title"]),
            ("state", issue["state"]),
            ("seen", "once" if issue["count"] == 1 else f"{issue['count']} times"),
            ("first seen", f"{moment(issue['first_seen'])} UTC"),
            ("last seen", f"{moment(issue['last_seen'])} UTC"),
            ("repository", issue["repo_url"]),
            ("fingerprint", issue["fingerprint"]),
            ("episode", issue["episode"]),
            ("triage", f"{triage['triage_class']} by {triage['judge']}: {triage['reason']}"),
            ("pull request", _proposed(issue["pull_request"])),
            ("why no new one", issue["no_pull_request_reason"]),
            ("only counted", issue["only_counted"] or None),
            ("merged into", issue["merged_into"]),
            ("merged with", ", ".join(issue["fingerprints"][1:])),
        ]
    )
    tasks = client.get("/v1/tasks", [("issue_id", issue["issue_id"]), ("limit", "5")])["items"]
    fields(("task", f"{task['task_id']} ({task['state']})") for task in tasks)
    watched(issue["fix_watches"])
    line()
    line(issue["sample"]["error"]["raw_excerpt"].rstrip("\n"))
    for decision in issue["decisions"]:
        evidence = decision["detail"].get("evidence")
        line(
            f"{decision['at']} {decision['verb']} by {decision['who']}"
            + (f": {evidence}" if evidence else "")
        )


def _proposed(pull_request: dict[str, Any] | None) -> str | None:
    """Return an issue's pull request as a field."""
    if pull_request is None:
        return None
    return f"{pull_request['url']} ({'expired' if pull_request['expired'] else pull_request['state']})"


@app.command("merge")
def merge_issue(
    issue_id: IssueId,
    into: Annotated[str, typer.Option(help="Id of the issue that it is merged into.")],
    as_json: JsonFlag = False,
) -> None:
    """Merge an issue into another one of its repository: from now on they are one error."""
    _say(connect().post(f"/v1/issues/{quoted(issue_id)}/merge", {"into": into}), "merged into", as_json)


@app.command("split")
def split_issue(
    issue_id: IssueId,
    fingerprint: Annotated[str, typer.Option(help="The fingerprint to take out of it.")],
    as_json: JsonFlag = False,
) -> None:
    """Take a fingerprint that was merged into an issue out of it again."""
    off = connect().post(f"/v1/issues/{quoted(issue_id)}/split", {"fingerprint": fingerprint})
    _say(off, "split off as", as_json)


@app.command("repair")
def repair_issue(issue_id: IssueId, as_json: JsonFlag = False) -> None:
    """Ask for a repair of an issue, whatever triage says."""
    task = connect().post(f"/v1/issues/{quoted(issue_id)}/repair")
    if as_json:
        emit_json(task)
        return
    line(task["task_id"])
    if task.get("reason"):
        note(task["reason"])


def _verb(verb: str, past: str) -> None:
    def act(issue_id: IssueId, as_json: JsonFlag = False) -> None:
        _say(connect().post(f"/v1/issues/{quoted(issue_id)}/{verb}"), past, as_json)

    act.__doc__ = f"{verb.capitalize()} an issue."
    app.command(verb)(act)


for _name, _past in (("ignore", "ignored"), ("resolve", "resolved"), ("reopen", "opened again")):
    _verb(_name, _past)


def _say(issue: dict[str, Any], past: str, as_json: bool) -> None:
    if as_json:
        emit_json(issue)
    else:
        note(f"{past}: issue {issue['issue_id']} is {issue['state']}")
