"""The bug library over HTTP: what was closed, what is like an error, and what a repair is told of it."""

import pytest

from ai_ops.core.identity import run_id
from ai_ops.flow.bug_case import Reach
from ai_ops.flow.pull_request import PullRequestState
from tests.support.running_server import OWN_SECRET, PUBLIC_URL, TRACEBACK, running, wire_event
from tests.support.store import pull_request

SIBLING = "https://github.com/acme/billing"
STRANGER = "https://github.com/other/shop"
OTHER = TRACEBACK.replace("ZeroDivisionError", "KeyError").replace("rating", "cart")


@pytest.fixture
async def server(tmp_path):
    async with running(tmp_path, bug_case_reach=Reach.OWNER) as started:
        started.worker.gate.set()
        yield started


async def reported(server, text=TRACEBACK, repo_url="https://github.com/acme/shop"):
    """Report an error; return its issue."""
    before = {item["issue_id"] for item in (await server.get("/v1/issues")).json["items"]}
    event = wire_event(error={"raw_excerpt": text}, repo={"repo_url": repo_url})
    assert (await server.post("/v1/events", {"events": [event]})).json["accepted"] == 1
    items = (await server.get("/v1/issues")).json["items"]
    return next(item for item in items if item["issue_id"] not in before)


async def closed(server, *args, state=PullRequestState.MERGED):
    """Report an error and decide on its pull request; return its bug case."""
    issue = await reported(server, *args)
    made = pull_request(
        id=f"pr-{issue['issue_id']}", repo_key=issue["repo_key"], fingerprint=issue["fingerprint"],
        branch=issue["issue_id"], issue_id=issue["issue_id"], url="/v1/x",
        cause="nothing to divide by", summary="asks first",
    )  # fmt: skip
    await server.pull_requests.record(made)
    await server.pull_requests.set_state(made.id, state)
    items = (await server.get("/v1/bug-cases")).json["items"]
    return next(item for item in items if item["issue_id"] == issue["issue_id"])


async def retrieval(server, status=200, **body):
    answer = await server.post("/v1/debug/retrieval", body)
    assert answer.status == status, answer.body
    return answer.json


async def test_a_closed_issue_is_listed_and_shown_with_all_that_is_known_of_it(server):
    case = await closed(server)
    assert (case["outcome"], case["resolved"], case["recurrences"], case["quality"]) == (
        "merged",
        False,
        0,
        0.8,
    )
    assert (case["cause"], case["summary"], case["verdict"]) == (
        "nothing to divide by",
        "asks first",
        "proved",
    )
    assert case["pr_url"] == f"{PUBLIC_URL}/v1/x"
    assert not {"diff", "error", "proof"} & set(case)
    whole = (await server.get(f"/v1/bug-cases/{case['bug_case_id']}")).json
    assert case.items() <= whole.items()
    assert whole["error"]["exception_type"] == whole["exception_type"] == "ZeroDivisionError"
    assert whole["diff"] == "--- a\n+++ b\n"
    assert whole["likeness"]["types"] == ["ZeroDivisionError"]
    assert whole["proof"]["reasons"][0]["rule"] == "red_to_green"
    by_beginning = await server.get(f"/v1/bug-cases/{case['bug_case_id'][:8]}")
    assert by_beginning.json == whole


async def test_an_unknown_case_is_not_found(server):
    for name in ("0" * 36, "nothing"):
        answer = await server.get(f"/v1/bug-cases/{name}")
        assert (answer.status, answer.json["code"]) == (404, "bug_case_not_found")


async def test_a_list_is_narrowed_and_paged(server):
    one = await closed(server)
    two = await closed(server, OTHER, SIBLING)

    async def ids(query):
        answer = await server.get(f"/v1/bug-cases?{query}")
        assert answer.status == 200, answer.body
        return [item["bug_case_id"] for item in answer.json["items"]]

    assert await ids("") == [two["bug_case_id"], one["bug_case_id"]]
    assert await ids("repo_key=github.com/acme/billing") == [two["bug_case_id"]]
    assert await ids("exception_type=ZeroDivisionError") == [one["bug_case_id"]]
    assert await ids(f"fingerprint={one['fingerprint'][:12]}") == [one["bug_case_id"]]
    assert await ids("outcome=closed&outcome=resolved") == []
    page = (await server.get("/v1/bug-cases?limit=1")).json
    assert await ids(f"limit=1&cursor={page['next_cursor']}") == [one["bug_case_id"]]


@pytest.mark.parametrize(
    "query",
    ["outcome=lost", "fingerprint=ab", "fingerprint=zzzzzz", "repo_key=a%00b", "exception_type=%0A",
     "limit=0", "cursor=x", f"repo_key={'x' * 2049}"],
)  # fmt: skip
async def test_a_query_that_means_nothing_is_refused(server, query):
    assert (await server.get(f"/v1/bug-cases?{query}")).status == 422


async def test_a_search_says_what_a_repair_would_be_told_and_why(server):
    case = await closed(server)
    far = await closed(server, OTHER)
    issue = await reported(server, TRACEBACK.replace("in main", "in index"))
    found = await retrieval(server, issue_id=issue["issue_id"][:8])
    assert (found["repo_key"], found["reach"]) == ("github.com/acme/shop", "owner")
    assert found["likeness"]["calls"][-1].endswith("rating.py:rate")
    first, second = found["items"]
    assert (first["bug_case_id"], first["shown"], first["reason"]) == (case["bug_case_id"], True, "")
    assert first["parts"] == {"type": 1.0, "message": 1.0, "frames": 0.75}
    assert first["quality"] == 0.8
    assert first["score"] == round(first["similarity"] * 0.9, 3)
    assert (second["bug_case_id"], second["shown"]) == (far["bug_case_id"], False)
    assert (second["parts"]["type"], second["parts"]["message"]) == (0.0, 1.0)
    assert second["reason"] == "scores less than 0.5"


async def test_a_text_is_searched_for_as_it_was_logged_and_nothing_of_it_is_kept(server):
    case = await closed(server)
    text = f"{TRACEBACK.rstrip()} {OWN_SECRET}"
    found = await retrieval(server, error_content=text, repo_url="https://github.com/acme/shop.git")
    assert [item["bug_case_id"] for item in found["items"]] == [case["bug_case_id"]]
    assert OWN_SECRET not in str(found)
    assert len(await server.rows("issues")) == 1


async def test_a_search_goes_no_further_than_the_owner(server):
    near = await closed(server, TRACEBACK, SIBLING)
    await closed(server, TRACEBACK, STRANGER)
    found = await retrieval(server, error_content=TRACEBACK, repo_url="https://github.com/acme/shop")
    assert [item["bug_case_id"] for item in found["items"]] == [near["bug_case_id"]]
    assert found["looked_at"] == 1


REPO = {"repo_url": "https://github.com/acme/shop"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "issue_id"),
        ({"issue_id": "123456", "error_content": "x"} | REPO, "issue_id"),
        ({"error_content": "x"}, "repo_url"),
        ({"issue_id": "123456"} | REPO, "repo_url"),
        ({"error_content": " "} | REPO, "error_content"),
        ({"issue_id": "123456", "limit": 51}, "limit"),
        ({"issue_id": "123456", "reach": "all"}, "reach"),
    ],
    ids=["nothing", "both", "no repository", "a repository too", "blank", "too many", "unknown field"],
)
async def test_a_search_that_means_nothing_is_refused(server, body, field):
    answer = await retrieval(server, status=422, **body)
    assert field in {error["field"] for error in answer["errors"]}


async def test_a_search_for_what_may_not_be_worked_on_is_refused(server):
    answer = await retrieval(server, status=422, error_content="x", repo_url="ext::sh -c id")
    assert answer["code"] == "invalid_repo_url"
    assert (await retrieval(server, status=404, issue_id="0" * 36))["code"] == "issue_not_found"


async def test_a_trace_names_the_closest_bug_of_the_past_and_not_itself(server):
    case = await closed(server)
    (task,) = (await server.get("/v1/tasks")).json["items"]
    async for _ in server.trace.follow(run_id(task["task_id"], 1)):
        pass
    own = (await server.get(f"/v1/traces/{run_id(task['task_id'], 1)}")).json
    assert own["closest_bug_case"] is None
    await reported(server, TRACEBACK.replace("in main", "in index"))
    task = (await server.get("/v1/tasks")).json["items"][0]
    async for _ in server.trace.follow(run_id(task["task_id"], 1)):
        pass
    closest = (await server.get(f"/v1/traces/{run_id(task['task_id'], 1)}")).json["closest_bug_case"]
    assert (closest["bug_case_id"], closest["shown"]) == (case["bug_case_id"], True)


async def test_resolving_an_issue_over_http_makes_its_case_and_reopening_it_takes_it_back(server):
    issue = await reported(server)
    await server.post(f"/v1/issues/{issue['issue_id']}/resolve")
    (case,) = (await server.get("/v1/bug-cases")).json["items"]
    assert (case["outcome"], case["resolved"], case["pr_url"]) == ("resolved", True, None)
    await server.post(f"/v1/issues/{issue['issue_id']}/reopen")
    assert (await server.get("/v1/bug-cases")).json["items"] == []
