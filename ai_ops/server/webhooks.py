"""Webhooks of code hosts: who sent one, and which pull requests it may be about. Pure; nothing is looked up.

What a webhook says is only a hint where to look. The host itself is asked what is so, so a forged word in a
body could change nothing even if its signature held.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ai_ops.server.problems import ProblemError

_SKEW_SECONDS = 300.0
_MOST = 50

_GITHUB_EVENTS = frozenset(
    {
        "issue_comment",
        "pull_request_review",
        "pull_request_review_comment",
        "pull_request",
        "check_suite",
        "check_run",
        "status",
    }
)
_GITLAB_EVENTS = frozenset({"Note Hook", "Merge Request Hook", "Pipeline Hook"})
Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WebhookSecrets:
    """What each host proves itself with; one without a secret is not listened to."""

    github: str = ""
    gitlab: str = ""


@dataclass(frozen=True, slots=True)
class Hint:
    """A repository's address, and the numbers or head commits of pull requests that may have changed."""

    repo_url: str = ""
    numbers: tuple[int, ...] = ()
    shas: tuple[str, ...] = ()


def check_github(headers: Headers, body: bytes, secret: str) -> str:
    """Return the id of a delivery that GitHub signed over these very bytes.

    Raises:
        ProblemError: 403 ``webhook_off``, ``signature_wrong``; 401 ``signature_missing``; 400
            ``delivery_unnamed``.
    """
    given = require_signature(headers, ("X-Hub-Signature-256",), secret)
    wanted = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if not _same(given, wanted):
        raise _wrong()
    return _named(headers.get("X-GitHub-Delivery", ""))


def check_gitlab(headers: Headers, body: bytes, secret: str, now: datetime) -> str:
    """Return the id of a delivery that GitLab signed a moment ago, or sent with its token.

    A signature counts alone: one that is wrong is not made good by a token.

    Raises:
        ProblemError: as ``check_github``; 403 ``signature_old`` when it was made more than five minutes
            before or after now.
    """
    given = require_signature(headers, ("webhook-signature", "X-Gitlab-Token"), secret)
    if "webhook-signature" in headers:
        return _check_signed(headers, body, secret, now)
    if not _same(given, secret):
        raise _wrong()
    return _named(headers.get("Idempotency-Key") or headers.get("X-Gitlab-Event-UUID", ""))


def require_signature(headers: Headers, names: tuple[str, ...], secret: str) -> str:
    """Return the first of these headers that is there; it can be asked before the body is read."""
    if not secret:
        raise ProblemError(403, "webhook_off", "This server has no secret for webhooks of this host")
    for name in names:
        if headers.get(name):
            return headers[name]
    raise ProblemError(401, "signature_missing", f"Sign the webhook: {' or '.join(names)}")


def _check_signed(headers: Headers, body: bytes, secret: str, now: datetime) -> str:
    identity, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    signed = b".".join((identity.encode("utf-8", "replace"), at.encode("utf-8", "replace"), body))
    made = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    wanted = "v1," + base64.b64encode(made).decode()
    if not any(_same(given, wanted) for given in headers["webhook-signature"].split(" ")):
        raise _wrong()
    if not (at.isascii() and at.isdigit() and abs(int(at[:15]) - now.timestamp()) <= _SKEW_SECONDS):
        raise ProblemError(403, "signature_old", "The webhook was signed too long before or after now")
    return _named(identity)


def _key(secret: str) -> bytes:
    """Return the bytes that a signing token stands for."""
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode())


def _wrong() -> ProblemError:
    return ProblemError(403, "signature_wrong", "The webhook's signature or token is not ours")


def _named(delivery: str) -> str:
    if not delivery:
        raise ProblemError(
            400, "delivery_unnamed", "The webhook names no delivery, so it cannot be taken once"
        )
    return delivery


def github_hint(event: str, value: Any) -> Hint:
    """Return where a webhook of GitHub points to; an empty hint when it is about nothing of ours."""
    if event not in _GITHUB_EVENTS:
        return Hint()
    numbers = [_at(value, "pull_request", "number")]
    if _at(value, "issue", "pull_request") is not None:
        numbers.append(_at(value, "issue", "number"))
    shas = [_at(value, "sha") if event == "status" else None]
    for name in ("check_suite", "check_run"):
        shas.append(_at(value, name, "head_sha"))
        listed = _at(value, name, "pull_requests")
        numbers += [_at(each, "number") for each in listed] if isinstance(listed, list) else []
    return _hint(_at(value, "repository", "html_url"), numbers, shas)


def gitlab_hint(event: str, value: Any) -> Hint:
    """Return where a webhook of GitLab points to; an empty hint when it is about nothing of ours."""
    if event not in _GITLAB_EVENTS:
        return Hint()
    numbers = [_at(value, "merge_request", "iid")]
    if event == "Merge Request Hook":
        numbers.append(_at(value, "object_attributes", "iid"))
    shas = [_at(value, "object_attributes", "sha") if event == "Pipeline Hook" else None]
    return _hint(_at(value, "project", "web_url"), numbers, shas)


def _hint(repo_url: Any, numbers: list[Any], shas: list[Any]) -> Hint:
    if not isinstance(repo_url, str):
        return Hint()
    return Hint(repo_url, tuple(_numbers(numbers)), tuple(sha for sha in shas if isinstance(sha, str)))


def _numbers(values: list[Any]) -> Iterator[int]:
    for value in dict.fromkeys(each for each in values[:_MOST] if type(each) is int):
        if 0 < value < 2**31:
            yield value


def _at(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
