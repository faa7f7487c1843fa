"""Comments through the server: on local pull requests, and as a word about any of ours."""

import pytest

from ai_ops.core import replies
from tests.integration.test_server_reading import local  # noqa: F401 - a fixture
from tests.support.running_server import OWN_SECRET
from tests.support.store import pull_request


@pytest.fixture
def talk(local):  # noqa: F811
    server, record, *_ = local
    server.worker.gate.set()
    return server, record, f"/v1/pull-requests/{record.id}"


async def test_a_comment_is_kept_masked_once_and_looked_at(talk):
    server, record, path = talk
    body = {"comment": f"/ai-ops no {OWN_SECRET}", "author": "ann"}
    for _ in range(2):
        answer = await server.post(f"{path}/comments", body, headers={"Idempotency-Key": "one"})
        assert answer.status == 201, answer.body
    (item,) = (await server.get(f"{path}/comments")).json["items"]
    assert (item["author"], item["ours"], item["may_write"]) == ("ann", False, True)
    assert OWN_SECRET not in item["body"]
    assert server.nudges.nudged == [record.id] * 2


async def test_an_answer_may_be_given_in_a_thread(talk):
    server, _, path = talk
    first = (await server.post(f"{path}/comments", {"comment": "why?"})).json
    second = (await server.post(f"{path}/comments", {"comment": "so", "thread": first["thread"]})).json
    assert (second["thread"], second["comment_id"] != first["comment_id"]) == (first["thread"], True)


async def test_on_a_host_people_write_there(talk):
    server, *_ = talk
    await server.pull_requests.record(pull_request(2))
    answer = await server.post("/v1/pull-requests/pr-2/comments", {"comment": "x"})
    assert (answer.status, answer.json["code"]) == (409, "comment_on_host")


async def test_a_pull_request_is_closed_once_and_a_merged_one_never(talk):
    server, _, path = talk
    for _ in range(2):
        answer = await server.post(f"{path}/close")
        assert (answer.status, answer.json["state"]) == (200, "closed")
    await server.pull_requests.record(pull_request(2, state="merged"))
    assert (await server.post("/v1/pull-requests/pr-2/close")).status == 409
    assert (await server.post("/v1/pull-requests/none/close")).status == 404


def said(record, **more):
    return {"repo_url": record.repo_url, "pr_number": record.number, "comment": "say float(0)", **more}


async def test_a_word_about_a_pull_request_becomes_a_follow_up_once(talk):
    server, record, _ = talk
    server.worker.gate.clear()
    headers = {"Idempotency-Key": 'one "--> two'}
    first, again = [await server.post("/v1/pr-comments", said(record), headers=headers) for _ in range(2)]
    assert (first.status, again.status, first.json) == (201, 201, again.json)
    assert first.headers["Location"] == f"/v1/tasks/{first.json['task_id']}"
    task = await server.tasks.find(first.json["task_id"])
    assert (task.kind, task.pull_request_id, task.payload["request"]) == (
        "follow_up", record.id, "say float(0)",
    )  # fmt: skip
    other = await server.post("/v1/pr-comments", said(record))
    assert (other.status, other.json["code"]) == (409, "follow_up_under_way")
    server.worker.gate.set()


async def test_a_command_is_done_at_once_with_or_without_the_prefix(talk):
    server, record, path = talk
    answer = await server.post("/v1/pr-comments", said(record, comment="/ai-ops stop"))
    assert (answer.status, answer.json["answer"]) == (200, replies.STOPPED)
    assert (await server.get(path)).json["held"].endswith("said: stop")
    answer = await server.post("/v1/pr-comments", said(record))
    assert (answer.status, answer.json["answer"]) == (200, replies.STEPPED_BACK)


async def test_a_pull_request_is_found_by_number_or_address(talk):
    server, record, path = talk
    wrong = said(record, comment="/ai-ops help")
    del wrong["pr_number"]
    assert (await server.post("/v1/pr-comments", wrong)).status == 422
    here = f"{server.services.public_url}{path}"
    for more, status in (
        ({"pr_url": here}, 200),
        ({"pr_url": f"{here}/"}, 200),
        ({"pr_url": here, "pr_number": record.number}, 200),
        ({"pr_url": here, "pr_number": record.number + 1}, 422),
        ({"pr_url": f"https://elsewhere.example{path}"}, 422),
        ({"pr_number": record.number + 1}, 404),
        ({"pr_url": "https://github.com/acme/shop/pull/1"}, 404),
        ({"pr_number": 0}, 422),
        ({"pr_number": record.number, "repo_url": "https://evil.example/a/b"}, 422),
    ):
        answer = await server.post("/v1/pr-comments", wrong | more)
        assert answer.status == status, (more, answer.body)


async def test_nothing_is_done_about_one_that_is_closed(talk):
    server, record, path = talk
    await server.post(f"{path}/close")
    answer = await server.post("/v1/pr-comments", said(record))
    assert (answer.status, answer.json["code"]) == (409, "pull_request_not_open")
