"""What people decide about issues over HTTP: it sticks, it is on record, and nonsense is refused."""

import asyncio

import pytest

from ai_ops.core.publishing_limits import NO_PLACE
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.flow.task import TaskState
from tests.support.running_server import AGENT_KEY, TRACEBACK, a_repair, running, wire_event
from tests.support.store import pull_request


@pytest.fixture
async def server(tmp_path):
    async with running(tmp_path) as started:
        yield started


async def send(server, *names, text=TRACEBACK):
    events = [wire_event(error={"raw_excerpt": text.replace("in rate", f"in {name}")}) for name in names]
    answer = await server.post("/v1/events", {"events": events}, key=AGENT_KEY)
    assert answer.json["accepted"] == len(names)


async def two(server):
    """Two open issues, the older one first."""
    await send(server, "first", "first", "second")
    newer, older = (await server.get("/v1/issues")).json["items"]
    return older, newer


async def show(server, issue):
    return (await server.get(f"/v1/issues/{issue['issue_id']}")).json


async def decide(server, issue, verb, body=None, **more):
    return await server.post(f"/v1/issues/{issue['issue_id']}/{verb}", body, **more)


async def test_a_merge_sends_later_events_to_the_other_issue_and_a_split_takes_them_back(server):
    one, other = await two(server)
    merged = await decide(server, other, "merge", {"into": one["issue_id"]})
    assert (merged.status, merged.json["issue_id"], merged.json["count"]) == (200, one["issue_id"], 3)
    await send(server, "second")
    found = await show(server, one)
    assert found["count"] == 4
    assert found["fingerprints"] == [one["fingerprint"], other["fingerprint"]]
    assert (await show(server, other))["merged_into"] == one["issue_id"]
    split = await decide(server, one, "split", {"fingerprint": other["fingerprint"]})
    assert (split.status, split.json["issue_id"], split.json["state"]) == (200, other["issue_id"], "open")
    await send(server, "second")
    assert [(await show(server, issue))["count"] for issue in (one, other)] == [3, 2]


@pytest.mark.parametrize("length", [6, 8, 35])
async def test_the_issue_that_is_merged_into_may_be_named_by_its_beginning(server, length):
    one, other = await two(server)
    merged = await decide(server, other, "merge", {"into": one["issue_id"][:length]})
    assert (merged.status, merged.json["issue_id"]) == (200, one["issue_id"])
    assert (await show(server, other))["merged_into"] == one["issue_id"]


async def test_a_beginning_that_is_too_short_or_of_no_issue_merges_nothing(server):
    one, other = await two(server)
    for into, refused, words in (
        (one["issue_id"][:5], (422, "id_too_short"), "shortened to 6 characters, not to 5"),
        ("0" * 8, (404, "issue_not_found"), "no such issue"),
    ):
        answer = await decide(server, other, "merge", {"into": into})
        assert (answer.status, answer.json["code"]) == refused
        assert words in answer.json["detail"]
    assert (await show(server, other))["merged_into"] is None
    own = await decide(server, other, "merge", {"into": other["issue_id"][:8]})
    assert (own.status, own.json["code"]) == (409, "cannot_merge")


async def test_a_repair_that_a_merge_takes_back_leaves_the_queue_at_once(server):
    one, other = await two(server)
    while "processing" not in [task["state"] for task in (await server.get("/v1/tasks")).json["items"]]:
        await asyncio.sleep(0.01)
    assert await server.engine.queue_depth() == 1  # one repair of a repository at a time
    await decide(server, other, "merge", {"into": one["issue_id"]})
    assert await server.engine.queue_depth() == 0


async def test_each_decision_is_on_record_with_who_and_when(server):
    one, other = await two(server)
    await decide(server, one, "ignore")
    await decide(server, one, "reopen")
    await decide(server, other, "merge", {"into": one["issue_id"]})
    made = (await show(server, one))["decisions"]
    assert [decision["verb"] for decision in made] == ["ignore", "reopen", "merge"]
    assert {decision["who"] for decision in made} == {"server key, from 127.0.0.1"}
    assert made[2]["detail"] == {"merged": other["issue_id"], "fingerprints": [other["fingerprint"]]}
    assert all(decision["at"].endswith("Z") for decision in made)


async def test_the_verbs_move_an_issue_and_may_be_repeated(server):
    one, _ = await two(server)
    for verb, state in (("ignore", "ignored"), ("resolve", "resolved"), ("reopen", "open")):
        for _ in range(2):
            answer = await decide(server, one, verb)
            assert (answer.status, answer.json["state"]) == (200, state)
    assert len((await show(server, one))["decisions"]) == 3


async def test_a_repair_is_a_persons_word_and_asked_for_twice_it_is_the_same(server):
    await send(server, "x", text="PermissionDenied: no")
    (issue,) = (await server.get("/v1/issues")).json["items"]
    assert (await server.get("/v1/tasks")).json["items"] == []
    first = await decide(server, issue, "repair")
    assert (first.status, first.json["issue_id"]) == (201, issue["issue_id"])
    assert first.headers["Location"] == f"/v1/tasks/{first.json['task_id']}"
    again = await decide(server, issue, "repair")
    assert (again.status, again.json["task_id"]) == (200, first.json["task_id"])
    assert again.json["reason"]
    assert (await show(server, issue))["count"] == 1


async def test_a_repair_after_a_split_belongs_to_the_issue_that_was_asked_about(server):
    one, other = await two(server)
    await decide(server, other, "merge", {"into": one["issue_id"]})
    await send(server, "second")
    await decide(server, one, "split", {"fingerprint": other["fingerprint"]})
    answer = await decide(server, one, "repair")
    assert answer.json["issue_id"] == one["issue_id"]


async def test_after_a_split_each_issue_shows_a_traceback_of_its_own(server):
    one, other = await two(server)
    await decide(server, other, "merge", {"into": one["issue_id"]})
    await send(server, "second")
    assert "in second" in (await show(server, one))["sample"]["error"]["raw_excerpt"]
    await decide(server, one, "split", {"fingerprint": other["fingerprint"]})
    for issue, name in ((one, "in first"), (other, "in second")):
        assert name in (await show(server, issue))["sample"]["error"]["raw_excerpt"]


@pytest.mark.parametrize(
    ("verb", "body", "status", "code"),
    [
        ("merge", {}, 422, "invalid_request"),
        ("merge", {"into": 7}, 422, "invalid_request"),
        ("merge", {"into": "x", "more": 1}, 422, "invalid_request"),
        ("merge", {"into": "no-such-issue"}, 404, "issue_not_found"),
        ("merge", {"into": "\ud800"}, 400, "malformed_json"),
        ("split", {}, 422, "invalid_request"),
        ("split", {"fingerprint": "f" * 129}, 422, "invalid_request"),
        ("split", {"fingerprint": "elsewhere"}, 409, "cannot_split"),
    ],
    ids=str,
)
async def test_a_decision_that_makes_no_sense_is_refused_by_name(server, verb, body, status, code):
    one, _ = await two(server)
    answer = await decide(server, one, verb, body)
    assert (answer.status, answer.json["code"]) == (status, code)
    assert (await show(server, one))["decisions"] == []


@pytest.mark.parametrize("verb", ["repair", "ignore", "resolve", "reopen", "merge", "split"])
async def test_an_unknown_issue_is_404_and_an_agents_key_opens_no_verb(server, verb):
    one, _ = await two(server)
    body = {"into": one["issue_id"]} if verb == "merge" else {"fingerprint": "x"}
    unknown = await server.post(f"/v1/issues/00000000-0000-4000-8000-000000000000/{verb}", body)
    assert (unknown.status, unknown.json["code"]) == (404, "issue_not_found")
    refused = await decide(server, one, verb, body, key=AGENT_KEY)
    assert (refused.status, refused.json["code"]) == (403, "scope_missing")


async def test_about_a_merged_issue_only_a_split_off_the_other_decides(server):
    one, other = await two(server)
    await decide(server, other, "merge", {"into": one["issue_id"]})
    for verb in ("ignore", "resolve", "reopen"):
        assert (await decide(server, other, verb)).json["code"] == "issue_merged"
    again = await decide(server, other, "merge", {"into": one["issue_id"]})
    assert (again.status, again.json["code"]) == (409, "issue_merged")
    split = await decide(server, other, "split", {"fingerprint": other["fingerprint"]})
    assert (split.status, split.json["code"]) == (409, "issue_merged")


async def test_readiness_asked_by_many_takes_the_writer_once(server):
    asked = []
    write = server.database.write
    server.database.write = lambda: asked.append(1) or write()
    for _ in range(20):
        assert (await server.get("/readyz", key="")).status == 200
    assert 1 <= len(asked) <= 5


# --- Why there is no (new) pull request


async def proposed(server, state):
    """An issue whose repair has ended with a pull request, which is in this state now."""
    await send(server, "first")
    (issue,) = (await server.get("/v1/issues")).json["items"]
    (task,) = (await server.get("/v1/tasks")).json["items"]
    made = pull_request(1, repo_key=issue["repo_key"], issue_id=issue["issue_id"], task_id=task["task_id"])
    await server.pull_requests.record(made)
    server.worker.changes = {"pull_request_id": made.id, "pr_url": made.url}
    server.worker.gate.set()
    async with asyncio.timeout(10):
        while (await server.tasks.find(task["task_id"])).state is not TaskState.COMPLETED:
            await asyncio.sleep(0.01)
    await server.pull_requests.set_state(made.id, state)
    return issue


@pytest.mark.parametrize(
    ("state", "words"), [("open", "is open"), ("merged", "was merged"), ("closed", "New evidence is")]
)
async def test_an_issue_names_its_pull_request_and_says_why_there_is_no_new_one(server, state, words):
    found = await show(server, await proposed(server, PullRequestState(state)))
    assert found["pull_request"] == {
        "pull_request_id": "pr-1",
        "url": pull_request(1).url,
        "state": state,
        "expired": False,
    }
    assert words in found["no_pull_request_reason"]


async def test_an_issue_without_one_says_why(server):
    await send(server, "first")
    (issue,) = (await server.get("/v1/issues")).json["items"]
    found = await show(server, issue)
    reasons = ("Its repair is pending.", "Its repair is processing.")  # it may have begun or not
    assert found["pull_request"] is None and found["no_pull_request_reason"] in reasons


async def test_a_refused_error_is_repaired_for_whoever_names_its_issue_and_not_for_who_sends_it(server):
    issue = await proposed(server, PullRequestState.CLOSED)
    sent = await server.post("/v1/tasks", a_repair(error_content=issue["sample"]["error"]["raw_excerpt"]))
    assert (sent.status, "ai-ops issue repair" in sent.json["reason"]) == (200, True)
    asked = await decide(server, issue, "repair")
    assert (asked.status, asked.json["episode"]) == (201, 2)


async def test_a_task_in_review_says_that_it_waits_for_a_place(server):
    server.worker.ending, server.worker.changes = TaskState.NEEDS_HUMAN_REVIEW, {"waiting_for": NO_PLACE}
    server.worker.gate.set()
    await send(server, "first")
    async with asyncio.timeout(10):
        while (task := (await server.get("/v1/tasks")).json["items"][0])["state"] != "needs_human_review":
            await asyncio.sleep(0.01)
    assert task["waiting_for"] == "too_many_pull_requests"
