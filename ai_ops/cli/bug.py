"""``ai-ops bug``: the bug library, and what a repair would be told of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from ai_ops.cli.client import connect, quoted
from ai_ops.cli.exits import CliError, Exit
from ai_ops.cli.options import BugCaseId, WaitOption
from ai_ops.cli.output import JsonFlag, LimitOption, emit_json, fields, line, moment, note, reasons, table
from ai_ops.cli.tables import Column

app = typer.Typer(no_args_is_help=True, help="Look up how errors were repaired before.")


@app.command("list")
def list_bug_cases(
    repo: Annotated[str, typer.Option(help="Only this repository, by its key: host/owner/name.")] = "",
    outcome: Annotated[
        list[str] | None, typer.Option(help="Only merged, closed or resolved ones; repeats.")
    ] = None,
    exception_type: Annotated[
        str, typer.Option("--type", help="Only this exception, by its short name.")
    ] = "",
    limit: LimitOption = 50,
    wait: WaitOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """List closed issues with what was done about them, newest first."""
    given = {"repo_key": repo, "exception_type": exception_type}
    query = [(name, value) for name, value in given.items() if value]
    query += [("outcome", value) for value in outcome or ()]
    items = list(connect(wait).pages("/v1/bug-cases", query, limit))
    if as_json:
        emit_json({"items": items})
        return
    if not items:
        note("no bug cases")
        return
    columns = [
        Column("bug_case_id", "BUG CASE"),
        Column("title", "TITLE", least=24, rank=1),
        Column("outcome", "OUTCOME"),
        Column("recurrences", "CAME BACK", rank=2),
        Column("quality", "QUALITY", rank=3),
        Column("closed", "CLOSED (UTC)", rank=5),
        Column("repo_key", "REPOSITORY", rank=4),
    ]
    table(({**item, "closed": moment(item["created_at"])} for item in items), columns)


@app.command("show")
def show_bug_case(bug_case_id: BugCaseId, as_json: JsonFlag = False) -> None:
    """Show one case: the error, its cause, the change, its proof and what became of it."""
    case = connect().get(f"/v1/bug-cases/{quoted(bug_case_id)}")
    if as_json:
        emit_json(case)
        return
    fields(
        [
            ("bug case", case["bug_case_id"]),
            ("title", case["title"]),
            ("outcome", case["outcome"]),
            ("issue", f"{case['issue_id']}, episode {case['episode']}"),
            ("resolved", "yes" if case["resolved"] else "no"),
            ("came back", _times(case)),
            ("quality", case["quality"]),
            ("repository", case["repo_url"]),
            ("cause", case["cause"]),
            ("change", case["summary"]),
            ("pull request", case["pull_request_id"]),
            ("link", case["pr_url"]),
            ("cost", f"{case['cost_usd']:.4f} USD"),
            ("verdict", case["verdict"]),
        ]
    )
    reasons(case["proof"])
    for text in (case["error"]["raw_excerpt"], case["diff"]):
        if text:
            line()
            line(text.rstrip("\n"))


@app.command("search")
def search_bug_cases(
    issue: Annotated[str, typer.Option(help="Id of an issue to find bugs like it.")] = "",
    repo_url: Annotated[
        str, typer.Option(help="Repository of an error that is read from standard input.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=50, help="How many at most.")] = 10,
    as_json: JsonFlag = False,
) -> None:
    """Find bugs of the past like an issue, or an error on standard input, and say what a repair is told."""
    if bool(issue) == bool(repo_url):
        raise CliError(Exit.USAGE, "give --issue, or --repo-url and the error on standard input")
    body: dict[str, Any] = {"issue_id": issue} if issue else {"repo_url": repo_url, "error_content": _piped()}
    found = connect().post("/v1/debug/retrieval", {**body, "limit": limit})
    if as_json:
        emit_json(found)
        return
    if not found["items"]:
        note("nothing like it is known")
        return
    columns = [
        Column("bug_case_id", "BUG CASE"),
        Column("score", "SCORE"),
        Column("made_of", "TYPE MESSAGE FRAMES", rank=3),
        Column("quality", "QUALITY", rank=2),
        Column("outcome", "OUTCOME", rank=1),
        Column("told", "SHOWN TO A REPAIR"),
        Column("title", "TITLE", least=24, rank=4),
        Column("repo_key", "REPOSITORY", rank=5),
    ]
    table(
        ({**item, "made_of": _parts(item), "told": item["reason"] or "yes"} for item in found["items"]),
        columns,
    )


def _piped() -> str:
    if sys.stdin.isatty():
        note("the error, as it was logged; end with Ctrl-D:")
    text = sys.stdin.buffer.read().decode("utf-8", "replace")
    if not text.strip():
        raise CliError(Exit.USAGE, "standard input was empty; pipe a log excerpt into it")
    return text


def _parts(item: Mapping[str, Any]) -> str:
    values = (item["parts"][name] for name in ("type", "message", "frames"))
    return " ".join("–" if value is None else f"{value:.2f}" for value in values)


def _times(case: Mapping[str, Any]) -> str:
    if not case["recurrences"]:
        return ""
    times = "once" if case["recurrences"] == 1 else f"{case['recurrences']} times"
    return f"{times}, last at {moment(case['last_recurred_at'])} UTC"
