"""``ai-ops bug``: the library against a real server, for people and as JSON."""

import json
import os
import subprocess
import sys
import uuid

import pytest

from tests.support.cli import ai_ops
from tests.support.forked_commands import run_command
from tests.support.local_server import TRACEBACK, LocalServer


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with LocalServer(tmp_path_factory.mktemp("bugs")) as running:
        for text in ("PermissionError: user 17 may not pay", "Http404: nothing here"):
            event = {
                "schema_version": 1,
                "event_id": str(uuid.uuid4()),
                "occurred_at": "2026-01-01T12:00:00Z",
                "repo": {"repo_url": str(running.remote)},
                "error": {"raw_excerpt": text},
            }
            running.call("/v1/events", {"events": [event]})
        denied = running.call("/v1/issues")["items"][1]
        running.call(f"/v1/issues/{denied['issue_id']}/resolve", {})
        yield running


def bug(server, *arguments):
    return ai_ops("bug", *arguments, url=server.url)


def as_json(server, *arguments):
    code, out, err = bug(server, *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def test_a_closed_issue_is_listed_and_shown(server):
    (case,) = as_json(server, "list")["items"]
    code, out, _ = bug(server, "list")
    assert code == 0 and case["bug_case_id"] in out and "resolved" in out
    code, out, _ = bug(server, "show", case["bug_case_id"][:8])
    assert code == 0
    assert case["issue_id"] in out and "PermissionError: user 17 may not pay" in out
    assert as_json(server, "show", case["bug_case_id"])["title"] == case["title"]


def test_a_list_is_narrowed(server):
    (case,) = as_json(server, "list")["items"]
    assert as_json(server, "list", "--outcome", "merged")["items"] == []
    assert as_json(server, "list", "--type", "PermissionError", "--repo", case["repo_key"])["items"] == [case]
    code, out, err = bug(server, "list", "--outcome", "merged")
    assert (code, out, err.strip()) == (0, "", "no bug cases")
    assert bug(server, "list", "--outcome", "lost")[0] == 2


def test_a_search_for_an_issue_says_what_a_repair_is_told(server):
    (case,) = as_json(server, "list")["items"]
    code, out, _ = bug(server, "search", "--issue", case["issue_id"][:8])
    assert code == 0
    assert case["bug_case_id"] in out and "SHOWN TO A REPAIR" in out and "yes" in out
    found = as_json(server, "search", "--issue", case["issue_id"])
    assert [item["bug_case_id"] for item in found["items"]] == [case["bug_case_id"]]


@pytest.mark.parametrize(
    ("text", "is_known"), [("PermissionError: user 99 may not pay", True), (TRACEBACK, False)]
)
def test_a_search_reads_an_error_from_standard_input(server, text, is_known):
    done = subprocess.run(
        [sys.executable, "-m", "ai_ops", "bug", "search", "--repo-url", str(server.remote)],
        input=text, text=True, capture_output=True, check=False,
        env={"AI_OPS_URL": server.url, "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (case,) = as_json(server, "list")["items"]
    assert (case["bug_case_id"] in done.stdout) is is_known
    assert ("nothing like it is known" in done.stderr) is not is_known


@pytest.mark.parametrize("arguments", [(), ("--issue", "123456", "--repo-url", "x")], ids=["neither", "both"])
def test_a_search_needs_an_issue_or_a_repository(server, arguments):
    code, _, err = bug(server, "search", *arguments)
    assert code == 2 and "give --issue, or --repo-url" in err


@pytest.mark.parametrize("text", ["", " \n"], ids=["nothing", "blank"])
def test_an_empty_standard_input_is_told_as_that(text):
    environment = {"PATH": os.environ["PATH"], "AI_OPS_URL": "http://127.0.0.1:9"}
    said = run_command(["bug", "search", "--repo-url", "/srv/git/shop.git"], environment, stdin=text)
    assert (said.code, said.out) == (2, "")
    assert "standard input was empty; pipe a log excerpt into it" in said.err


def test_a_case_that_is_not_there_is_not_found(server):
    assert bug(server, "show", "0" * 36)[0] == 3
