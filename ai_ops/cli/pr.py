"""``ai-ops pr``: the pull requests, what is written on them, and the merge of local ones."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Annotated, Any

import typer

from ai_ops.cli.client import connect, quoted
from ai_ops.cli.exits import CliError
from ai_ops.cli.options import PullRequestId, StateOption, WaitOption
from ai_ops.cli.output import (
    JsonFlag,
    LimitOption,
    emit_json,
    fields,
    line,
    moment,
    note,
    reasons,
    table,
    watched,
)
from ai_ops.cli.tables import Column
from ai_ops.core.markdown import unescaped

_OF_DIFF = ("pull_request_id", "issue_id", "task_id", "base_sha", "head_sha", "diff")

app = typer.Typer(no_args_is_help=True, help="Review pull requests.")


@app.command("list")
def list_pull_requests(
    state: StateOption = None, limit: LimitOption = 50, wait: WaitOption = 0, as_json: JsonFlag = False
) -> None:
    """List pull requests, newest first."""
    items = list(connect(wait).pages("/v1/pull-requests", [("state", each) for each in state or ()], limit))
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


def _state(found: dict[str, Any]) -> str:
    """Return the state, and what may keep it from being merged or changed."""
    draft = "a draft until CI passes" if found["ready_when_green"] else "a draft" if found["draft"] else ""
    held = f"left to people: {found['held']}" if found["held"] else ""
    return ", ".join(filter(None, (found["state"], draft, held)))


def print_pull_request(found: dict[str, Any]) -> None:
    """Print a pull request for people."""
    fields(
        [
            ("pull request", found["pull_request_id"]),
            ("title", found["title"]),
            ("state", _state(found)),
            *((("checks", f"{ci['verdict']}: {ci['words']}"),) if (ci := found["ci"]) else ()),
            ("link", found["url"]),
            ("branch", f"{found['branch']} into {found['base']}"),
            ("commit", f"{found['head_sha']}, revision {found['revision']}"),
            ("task", found["task_id"]),
            ("verdict", found["proof"]["verdict"]),
        ]
    )
    watched(found.get("fix_watches", ()))
    reasons(found["proof"])
    for each in found["reviewers"]:
        line(_reviewer(each))
    line()
    line(found["diff"].rstrip("\n"))


@app.command("diff")
def show_diff(pull_request_id: PullRequestId, as_json: JsonFlag = False) -> None:
    """Print the change of one pull request, and nothing else."""
    found = connect().get(f"/v1/pull-requests/{quoted(pull_request_id)}")
    if as_json:
        emit_json({name: found[name] for name in _OF_DIFF})
    else:
        line(found["diff"].rstrip("\n"))


@app.command("comment")
def comment_on_pull_request(
    pull_request_id: PullRequestId,
    text: Annotated[str, typer.Argument(help="What to write, as '/ai-ops use Decimal' or '/ai-ops help'.")],
    author: Annotated[str, typer.Option(help="Whose words they are.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Write on a local pull request; what begins with the command prefix is followed while it is open."""
    client, path = connect(), f"/v1/pull-requests/{quoted(pull_request_id)}"
    before = client.get(path)  # afterwards it may be held, or closed, by these very words
    written = client.post(f"{path}/comments", {"comment": text, "author": author})
    if as_json:
        emit_json(written)
    else:
        note(f"written; {_followed(before)}")


def _followed(found: dict[str, Any]) -> str:
    """Return what becomes of words on a pull request, as it stands."""
    if found["state"] != "open":
        return f"nobody follows words here any more: it is {found['state']}"
    answers = f"ai-ops pr comments {found['pull_request_id']}"
    if found["held"]:
        words = "only `resume` and `ignore this error` are followed behind the prefix"
        return f"it is left to people ({found['held']}), so {words}: {answers}"
    return f"what begins with the prefix is answered: {answers}"


@app.command("comments")
def list_comments(pull_request_id: PullRequestId, as_json: JsonFlag = False) -> None:
    """List what is written on one pull request, oldest first; answers below what they answer."""
    items = connect().get(f"/v1/pull-requests/{quoted(pull_request_id)}/comments")["items"]
    if as_json:
        emit_json({"items": items})
        return
    if not items:
        note("no comments")
    print_comments(items)


def print_comments(items: Iterable[dict[str, Any]]) -> None:
    """Print comments for people; what we wrote ourselves without the escapes of its Markdown."""
    for item in _by_thread(items):
        place = f" on {item['path']}:{item['line']}" if item["path"] else ""
        line(f"{moment(item['created_at'])} {item['author']}{place}:")
        line((unescaped(item["body"]) if item["ours"] else item["body"]).rstrip("\n"))
        line()


def _by_thread(items: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield comments thread by thread, in the order in which the threads began."""
    threads: dict[str, list[dict[str, Any]]] = {}
    for item in items:
        threads.setdefault(item["thread"] or item["comment_id"], []).append(item)
    return chain.from_iterable(threads.values())


@app.command("close")
def close_pull_request(pull_request_id: PullRequestId, as_json: JsonFlag = False) -> None:
    """Close a pull request unmerged: its error is left alone until there is new evidence."""
    closed = connect().post(f"/v1/pull-requests/{quoted(pull_request_id)}/close")
    if as_json:
        emit_json(closed)
    else:
        note("closed; its error is left alone until there is new evidence")


def _reviewer(found: dict[str, Any]) -> str:
    who = found["login"] or found["name"] or "somebody"
    known_as = f" ({found['name']})" if found["login"] and found["name"] else ""
    asked = "" if found["asked"] else ", not asked on the host"
    return f"reviewer   {who}{known_as}: {found['reason']}{asked}"


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
            f"the fix watch begins within a minute, then ai-ops issue show {issue['issue_id']} says how that "
            f"stands"
        )
