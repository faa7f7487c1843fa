"""``POST /v1/webhooks/…``: a code host says that something happened. It is a hint to look there now."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiohttp import web

from ai_ops.errors import PermanentError
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.server.auth import Route, Scope
from ai_ops.server.bodies import BODY_LIMIT, parse_json, read_bytes
from ai_ops.server.problems import ProblemError, json_response
from ai_ops.server.services import SERVICES, Services
from ai_ops.server.webhooks import (
    Hint,
    check_github,
    check_gitlab,
    github_hint,
    gitlab_hint,
    require_signature,
)

log = logging.getLogger(__name__)


async def post_github(request: web.Request) -> web.StreamResponse:
    """Take a webhook of GitHub."""
    secret = request.app[SERVICES].webhooks.github
    require_signature(request.headers, ("X-Hub-Signature-256",), secret)
    body = await _raw(request)
    delivery = check_github(request.headers, body, secret)
    return await _take(request, "github", delivery, body, github_hint, "X-GitHub-Event")


async def post_gitlab(request: web.Request) -> web.StreamResponse:
    """Take a webhook of GitLab."""
    services = request.app[SERVICES]
    secret = services.webhooks.gitlab
    require_signature(request.headers, ("webhook-signature", "X-Gitlab-Token"), secret)
    body = await _raw(request)
    delivery = check_gitlab(request.headers, body, secret, services.clock.now())
    return await _take(request, "gitlab", delivery, body, gitlab_hint, "X-Gitlab-Event")


async def _raw(request: web.Request) -> bytes:
    """Return the body as it came: what was signed is not what an encoding makes of it."""
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise ProblemError(415, "unsupported_encoding", "A webhook is taken as it was signed, not encoded")
    return await read_bytes(request, limit=BODY_LIMIT)


async def _take(
    request: web.Request,
    sender: str,
    delivery: str,
    body: bytes,
    read: Callable[[str, Any], Hint],
    event_header: str,
) -> web.StreamResponse:
    """Have the pull requests looked at that a webhook may be about; one that came before changes nothing."""
    services = request.app[SERVICES]
    value = await asyncio.to_thread(parse_json, body)
    if not await services.deliveries.is_new(sender, delivery):
        return json_response({"note": "this delivery was taken before", "pull_requests": []})
    hint = read(request.headers.get(event_header, ""), value)
    ids = await _ours(services, sender, hint) if hint.repo_url else []
    for pull_request_id in ids:
        if services.watched is not None:
            services.watched.nudge(pull_request_id)
    note = "looking at them now" if ids else "nothing of ours"
    return json_response({"note": note, "pull_requests": ids}, status=202)


async def _ours(services: Services, sender: str, hint: Hint) -> list[str]:
    """Return the ids of our pull requests that a hint names: open ones, and one that may be open again."""
    try:
        repository = services.repository(hint.repo_url, sender)
    except PermanentError as refused:
        log.info("a webhook of %s is not about a repository of ours: %s", sender, refused.code)
        return []
    numbers, shas = set(hint.numbers), set(hint.shas)
    found = await services.pull_requests.open_in(repository.key)
    ids = [each.id for each in found if each.number in numbers or each.head_sha in shas]
    for number in numbers - {each.number for each in found}:
        known = await services.pull_requests.find_by_number(repository.key, number)
        if known is not None and known.state is PullRequestState.CLOSED:
            ids.append(known.id)
    return ids


ROUTES = (
    Route("POST", "/v1/webhooks/github", Scope.SIGNED, post_github, query=None),
    Route("POST", "/v1/webhooks/gitlab", Scope.SIGNED, post_gitlab, query=None),
)
