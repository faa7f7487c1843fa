"""Webhooks: who sent one, and what it points to."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest

from ai_ops.server.problems import ProblemError
from ai_ops.server.webhooks import Hint, check_github, check_gitlab, github_hint, gitlab_hint

SECRET = "a-secret-for-webhooks"
BODY = b'{"a": 1}'
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def by_github(body=BODY, secret=SECRET, **more):
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": signature, "X-GitHub-Delivery": "d-1"} | more


def signed(body=BODY, key=b"", *, at=NOW, identity="id-1"):
    stamp = str(int(at.timestamp()))
    made = hmac.new(key or SECRET.encode(), f"{identity}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-signature": "v1,AAAA v1," + base64.b64encode(made).decode(),
        "webhook-id": identity,
        "webhook-timestamp": stamp,
    }


def refused(check, *given):
    with pytest.raises(ProblemError) as caught:
        check(*given)
    return caught.value.status, caught.value.code


def test_what_is_signed_is_taken_by_its_delivery():
    assert check_github(by_github(), BODY, SECRET) == "d-1"
    assert check_gitlab(signed(), BODY, SECRET, NOW) == "id-1"
    key = base64.b64encode(b"raw key").decode()
    assert check_gitlab(signed(key=b"raw key"), BODY, f"whsec_{key}", NOW) == "id-1"
    token = {"X-Gitlab-Token": SECRET, "X-Gitlab-Event-UUID": "u-1"}
    assert check_gitlab(token, BODY, SECRET, NOW) == "u-1"
    assert check_gitlab(token | {"Idempotency-Key": "i-1"}, BODY, SECRET, NOW) == "i-1"


GITHUB = {
    "unsigned": ({}, BODY, 401, "signature_missing"),
    "another body": (by_github(), BODY + b" ", 403, "signature_wrong"),
    "another secret": (by_github(secret="guess"), BODY, 403, "signature_wrong"),
    "no ASCII": (by_github(**{"X-Hub-Signature-256": "sha256=\udcff"}), BODY, 403, "signature_wrong"),
    "the older digest": ({"X-Hub-Signature": "sha1=00"}, BODY, 401, "signature_missing"),
    "no delivery": (by_github(**{"X-GitHub-Delivery": ""}), BODY, 400, "delivery_unnamed"),
}


@pytest.mark.parametrize(("headers", "body", "status", "code"), GITHUB.values(), ids=GITHUB)
def test_what_github_did_not_sign_is_refused(headers, body, status, code):
    assert refused(check_github, headers, body, SECRET) == (status, code)


TOKEN = {"X-Gitlab-Token": SECRET, "X-Gitlab-Event-UUID": "u"}
GITLAB = {
    "unsigned": ({}, 401, "signature_missing"),
    "another token": (TOKEN | {"X-Gitlab-Token": SECRET[:-1]}, 403, "signature_wrong"),
    "another key": (signed(key=b"guess"), 403, "signature_wrong"),
    "another body": (signed(b"{}"), 403, "signature_wrong"),
    "a wrong signature beside the token": (TOKEN | signed(b"{}"), 403, "signature_wrong"),
    "six minutes ago": (signed(at=NOW.replace(minute=10)), 403, "signature_old"),
    "a moment that is none": (
        signed() | {"webhook-timestamp": "soon"},
        403,
        "signature_wrong",
    ),
    "no delivery": ({"X-Gitlab-Token": SECRET}, 400, "delivery_unnamed"),
}


@pytest.mark.parametrize(("headers", "status", "code"), GITLAB.values(), ids=GITLAB)
def test_what_gitlab_did_not_send_is_refused(headers, status, code):
    assert refused(check_gitlab, headers, BODY, SECRET, NOW) == (status, code)


def test_without_a_secret_nothing_is_taken():
    empty = by_github(secret="")
    assert refused(check_github, empty, BODY, "") == (403, "webhook_off")
    assert refused(check_gitlab, {"X-Gitlab-Token": ""}, BODY, "", NOW) == (403, "webhook_off")


HOME = {"repository": {"html_url": "https://github.com/acme/shop"}}
CHECK = {"head_sha": "ab"}
ON_GITHUB = {
    "a comment": ("issue_comment", {"issue": {"number": 7, "pull_request": {"url": "x"}}}, (7,), ()),
    "a comment on an issue": ("issue_comment", {"issue": {"number": 7}}, (), ()),
    "a review": ("pull_request_review", {"pull_request": {"number": 7}}, (7,), ()),
    "a comment on a line": ("pull_request_review_comment", {"pull_request": {"number": 7}}, (7,), ()),
    "a closed one": ("pull_request", {"pull_request": {"number": 7}}, (7,), ()),
    "a check": ("check_run", {"check_run": CHECK | {"pull_requests": [{"number": 7}]}}, (7,), ("ab",)),
    "a suite": ("check_suite", {"check_suite": {"head_sha": "ab", "pull_requests": []}}, (), ("ab",)),
    "a status": ("status", {"sha": "ab"}, (), ("ab",)),
    "wrong types": ("check_run", {"check_run": [], "pull_request": {"number": "7"}, "issue": 3}, (), ()),
}  # fmt: skip


@pytest.mark.parametrize(("event", "value", "numbers", "shas"), ON_GITHUB.values(), ids=ON_GITHUB)
def test_github_points_to_pull_requests(event, value, numbers, shas):
    assert github_hint(event, HOME | value) == Hint("https://github.com/acme/shop", numbers, shas)


@pytest.mark.parametrize("value", [None, [], 7, {}, {"repository": 7}, {"repository": {"html_url": 7}}])
def test_what_is_no_event_points_nowhere(value):
    assert github_hint("issue_comment", value) == Hint()
    assert gitlab_hint("Note Hook", value) == Hint()
    assert github_hint("push", HOME) == Hint()


def test_gitlab_points_to_merge_requests():
    home = {"project": {"web_url": "https://gitlab.com/acme/shop"}}
    note = {"merge_request": {"iid": 3}, "object_attributes": {"id": 9}}
    merge = {"object_attributes": {"iid": 4}}
    pipeline = {"object_attributes": {"sha": "ab"}, "merge_request": {"iid": 5}}
    url = "https://gitlab.com/acme/shop"
    assert gitlab_hint("Note Hook", home | note) == Hint(url, (3,))
    assert gitlab_hint("Merge Request Hook", home | merge) == Hint(url, (4,))
    assert gitlab_hint("Pipeline Hook", home | pipeline) == Hint(url, (5,), ("ab",))
