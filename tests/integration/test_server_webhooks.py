"""Webhooks at the server: a good one has a pull request looked at, any other changes nothing."""

import json

import pytest

from ai_ops.server.webhooks import WebhookSecrets
from tests.support.running_server import SERVER_KEY, running
from tests.support.store import pull_request
from tests.unit.test_webhooks import SECRET, by_github, signed

REPO = "https://github.com/acme/shop"
HOME = {"repository": {"html_url": REPO}}
COMMENT = HOME | {"issue": {"number": 7, "pull_request": {}}, "comment": {"body": "/ai-ops stop"}}
BODY = json.dumps(COMMENT).encode()
EVENT = {"X-GitHub-Event": "issue_comment"}


@pytest.fixture
async def server(tmp_path):
    async with running(tmp_path, webhooks=WebhookSecrets(SECRET, SECRET)) as started:
        for number, more in (
            (7, {}),
            (8, {"head_sha": "c" * 40}),
            (9, {"state": "closed"}),
            (10, {"state": "merged"}),
        ):
            record = pull_request(number, repo_key="github.com/acme/shop", repo_url=REPO, **more)
            await started.pull_requests.record(record)
        yield started


async def unchanged(server):
    assert server.nudges.nudged == []
    assert await server.rows("webhook_deliveries") == []
    assert await server.rows("tasks") == []


async def test_a_signed_webhook_has_the_pull_request_looked_at_once(server):
    for status, ids in ((202, ["pr-7"]), (200, [])):
        answer = await server.post("/v1/webhooks/github", body=BODY, key="", headers=by_github(BODY) | EVENT)
        assert (answer.status, answer.json["pull_requests"]) == (status, ids)
    assert server.nudges.nudged == ["pr-7"]
    # What it said of a comment is not believed: only the host's word counts.
    assert await server.rows("comments") == []
    assert (await server.pull_requests.find("pr-7")).held == ""


FORGED = {
    "unsigned": (EVENT, BODY, 401),
    "unsigned, with a key": (EVENT | {"X-API-Key": SERVER_KEY}, BODY, 401),
    "signed with another secret": (by_github(BODY, "guess") | EVENT, BODY, 403),
    "another body": (by_github(BODY) | EVENT, BODY.replace(b"7", b"8"), 403),
    "encoded": (by_github(BODY) | EVENT | {"Content-Encoding": "gzip"}, BODY, 415),
    "a form": (by_github(BODY) | EVENT | {"Content-Type": "application/x-www-form-urlencoded"}, BODY, 415),
    "no JSON": (by_github(b"{") | EVENT, b"{", 400),
}


@pytest.mark.parametrize(("headers", "body", "status"), FORGED.values(), ids=FORGED)
async def test_a_webhook_that_is_not_githubs_changes_nothing(server, headers, body, status):
    answer = await server.post("/v1/webhooks/github", body=body, key="", headers=headers)
    assert answer.status == status, answer.body
    await unchanged(server)


ELSEWHERE = {
    "a repository that is not ours": (COMMENT | {"repository": {"html_url": "https://evil.test/a/b"}}, EVENT),
    "another repository": (COMMENT | {"repository": {"html_url": "https://github.com/acme/other"}}, EVENT),
    "a pull request that is not ours": (COMMENT | {"issue": {"number": 3, "pull_request": {}}}, EVENT),
    "a merged one": (COMMENT | {"issue": {"number": 10, "pull_request": {}}}, EVENT),
    "another event": (COMMENT, {"X-GitHub-Event": "push"}),
    "a list": ([COMMENT], EVENT),
}  # fmt: skip


@pytest.mark.parametrize(("value", "event"), ELSEWHERE.values(), ids=ELSEWHERE)
async def test_a_webhook_about_nothing_of_ours_is_taken_and_changes_nothing(server, value, event):
    body = json.dumps(value).encode()
    answer = await server.post("/v1/webhooks/github", body=body, key="", headers=by_github(body) | event)
    assert (answer.status, answer.json["pull_requests"]) == (202, [])
    assert server.nudges.nudged == []


async def test_a_pull_request_that_was_closed_and_is_opened_again_is_looked_at(server):
    body = json.dumps(HOME | {"action": "reopened", "pull_request": {"number": 9}}).encode()
    headers = by_github(body) | {"X-GitHub-Event": "pull_request"}
    answer = await server.post("/v1/webhooks/github", body=body, key="", headers=headers)
    assert (answer.status, answer.json["pull_requests"]) == (202, ["pr-9"])
    assert server.nudges.nudged == ["pr-9"]


async def test_a_status_finds_the_pull_request_by_its_head(server):
    body = json.dumps(HOME | {"sha": "c" * 40}).encode()
    headers = by_github(body) | {"X-GitHub-Event": "status"}
    assert (await server.post("/v1/webhooks/github", body=body, key="", headers=headers)).status == 202
    assert server.nudges.nudged == ["pr-8"]


async def test_gitlab_is_believed_by_signature_or_token(tmp_path):
    body = json.dumps(
        {"project": {"web_url": "https://gitlab.com/acme/shop"}, "merge_request": {"iid": 7}}
    ).encode()
    event = {"X-Gitlab-Event": "Note Hook"}
    async with running(tmp_path, code_host="gitlab", webhooks=WebhookSecrets("", SECRET)) as server:
        record = pull_request(
            7, repo_key="gitlab.com/acme/shop", repo_url="https://gitlab.com/acme/shop", code_host="gitlab"
        )
        await server.pull_requests.record(record)
        server.services.hosts["gitlab"] = server.services.hosts["github"]  # it is not asked here
        now = server.services.clock.now()
        good = signed(body, at=now)
        token = {"X-Gitlab-Token": SECRET, "X-Gitlab-Event-UUID": "u"}
        for headers, status in (
            (good, 202),
            (good, 200),
            (token, 202),
            (token, 200),
            ({}, 401),
            (token | {"X-Gitlab-Token": "guess"}, 403),
            (signed(b"{}", at=now), 403),
        ):
            answer = await server.post("/v1/webhooks/gitlab", body=body, key="", headers=headers | event)
            assert answer.status == status, (headers, answer.body)
        assert server.nudges.nudged == ["pr-7", "pr-7"]
        answer = await server.post("/v1/webhooks/github", body=BODY, key="", headers=by_github(BODY) | EVENT)
        assert (answer.status, answer.json["code"]) == (403, "webhook_off")
