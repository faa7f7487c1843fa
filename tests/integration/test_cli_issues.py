"""``ai-ops issue`` decides: each verb against a real server, for people and as JSON."""

import json
import uuid

import pytest

from tests.support.cli import ai_ops
from tests.support.local_server import LocalServer


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with LocalServer(tmp_path_factory.mktemp("issues")) as running:
        for text in ("PermissionDenied: no", "Http404: nothing here"):
            event = {
                "schema_version": 1,
                "event_id": str(uuid.uuid4()),
                "occurred_at": "2026-01-01T12:00:00Z",
                "repo": {"repo_url": str(running.remote)},
                "error": {"raw_excerpt": text},
            }
            running.call("/v1/events", {"events": [event]})
        yield running


def issue(server, *arguments):
    code, out, err = ai_ops("issue", *arguments, url=server.url)
    return code, out + err


def as_json(server, *arguments):
    code, out, err = ai_ops("issue", *arguments, "--json", url=server.url)
    assert code == 0, err
    return json.loads(out)


@pytest.fixture
def two(server):
    newer, older = as_json(server, "list")["items"]
    return older, newer


def test_merging_and_splitting_and_who_did_it(server, two):
    one, other = two
    code, said = issue(server, "merge", other["issue_id"], "--into", one["issue_id"])
    assert (code, said.strip()) == (0, f"merged into: issue {one['issue_id']} is open")
    shown = issue(server, "show", one["issue_id"])[1]
    assert other["fingerprint"] in shown
    assert "merge by no key, from 127.0.0.1" in shown
    assert one["issue_id"] in issue(server, "show", other["issue_id"])[1]
    off = as_json(server, "split", one["issue_id"], "--fingerprint", other["fingerprint"])
    assert (off["issue_id"], off["state"]) == (other["issue_id"], "open")


def test_an_issue_says_why_it_has_no_pull_request(server, two):
    shown = issue(server, "show", two[0]["issue_id"])[1]
    assert "why no new one" in shown and "not repaired by itself" in shown


def test_both_issues_of_a_merge_may_be_named_by_their_beginning(server, two):
    one, other = two
    code, said = issue(server, "merge", other["issue_id"][:8], "--into", one["issue_id"][:8])
    assert (code, said.strip()) == (0, f"merged into: issue {one['issue_id']} is open")
    as_json(server, "split", one["issue_id"], "--fingerprint", other["fingerprint"])


@pytest.mark.parametrize(
    ("verb", "state"), [("ignore", "ignored"), ("resolve", "resolved"), ("reopen", "open")]
)
def test_each_verb_says_how_the_issue_stands_now(server, two, verb, state):
    code, said = issue(server, verb, two[0]["issue_id"])
    assert code == 0
    assert said.strip().endswith(f"issue {two[0]['issue_id']} is {state}")
    assert as_json(server, verb, two[0]["issue_id"])["state"] == state


def test_a_repair_says_its_task_and_the_second_time_why_it_is_the_same(server, two):
    code, said = issue(server, "repair", two[1]["issue_id"])
    assert code == 0
    task = said.split()[0]
    assert as_json(server, "repair", two[1]["issue_id"])["issue_id"] == two[1]["issue_id"]
    assert server.call(f"/v1/tasks/{task}")["issue_id"] == two[1]["issue_id"]


def test_what_cannot_be_is_refused_with_its_exit_code(server, two):
    one = two[0]["issue_id"]
    assert issue(server, "merge", one, "--into", one)[0] == 4
    assert issue(server, "split", one, "--fingerprint", "none")[0] == 4
    assert issue(server, "ignore", str(uuid.uuid4()))[0] == 3
    assert issue(server, "merge", one)[0] == 2
