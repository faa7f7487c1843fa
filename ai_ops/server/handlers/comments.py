"""What people write on pull requests through this server: on local ones, and as a word for any of them."""

from __future__ import annotations

import re
import uuid

from aiohttp import web

from ai_ops.core.failures import failed
from ai_ops.core.links import absolute
from ai_ops.errors import PermanentError
from ai_ops.flow.pull_request import CommentKind, HostedComment, PullRequest, PullRequestState
from ai_ops.server import views
from ai_ops.server.auth import Route, Scope
from ai_ops.server.bodies import read_model
from ai_ops.server.handlers.pull_requests import find_pull_request
from ai_ops.server.headers import idempotency_key
from ai_ops.server.problems import ProblemError, from_failure, invalid, json_response
from ai_ops.server.schemas import CommentBody, PullRequestCommentBody
from ai_ops.server.services import SERVICES, Services

_AUTHOR = "somebody with a key of this server"
_BUSY_SECONDS = "60"
_ID = re.compile(r"/pull-requests/([0-9a-f-]{36})\Z")
_NUMBER = re.compile(r"/(\d{1,9})\Z")


async def list_comments(request: web.Request) -> web.StreamResponse:
    """Answer what is written on a pull request, oldest first, as its host has it."""
    services = request.app[SERVICES]
    found = await find_pull_request(request)
    repository = services.repository(found.repo_url, found.code_host)
    try:
        comments = await services.hosts[found.code_host].comments(repository, found.number)
    except PermanentError as failure:
        raise from_failure(failure, otherwise=409) from failure
    return json_response({"items": [views.comment(each) for each in comments]})


async def post_comment(request: web.Request) -> web.StreamResponse:
    """Write a comment on a local pull request; who holds a key for reviews may ask for things in it."""
    services = request.app[SERVICES]
    identity = _identity(request)
    body = await read_model(request, CommentBody)
    found = await find_pull_request(request)
    if found.code_host != "local":
        raise ProblemError(409, "comment_on_host", f"Write it on the pull request itself: {found.url}")
    redact = services.redactor.redact
    kept = await services.comments.add(
        found.id,
        redact(body.author) or _AUTHOR,
        redact(body.comment),
        ours=False,
        key=identity,
        thread=body.thread,
    )
    if services.watched is not None:
        services.watched.nudge(found.id)
    return json_response(views.comment(kept), status=201)


async def post_word(request: web.Request) -> web.StreamResponse:
    """Follow somebody's word about a pull request, as a comment on it would be followed."""
    services = request.app[SERVICES]
    identity = _identity(request)
    body = await read_model(request, PullRequestCommentBody)
    if misfits := body.misfits():
        raise invalid(*misfits)
    found = await _meant(services, body)
    if found.state is not PullRequestState.OPEN:
        raise failed("pull_request_not_open", f"the pull request is {found.state}")
    comment = HostedComment(
        identity, CommentKind.COMMENT, _AUTHOR, body.comment, services.clock.now(), may_write=True
    )
    heard = await services.conversation.hear_plain(found, comment)
    if heard.waits:
        words = "Another follow-up of this pull request is under way; send it again when that has ended"
        raise ProblemError(409, "follow_up_under_way", words, headers={"Retry-After": _BUSY_SECONDS})
    task = heard.task.id if heard.task else None
    answer = {"pull_request_id": found.id, "task_id": task, "answer": heard.answer or None}
    if task is None:
        return json_response(answer)
    return json_response(answer, status=201, headers={"Location": f"/v1/tasks/{task}"})


def _identity(request: web.Request) -> str:
    """Return the id of what a request says; one that is repeated with its key has the same."""
    key = idempotency_key(request)
    return f"api:{uuid.uuid4() if key is None else uuid.uuid5(uuid.NAMESPACE_OID, key)}"


async def _meant(services: Services, body: PullRequestCommentBody) -> PullRequest:
    """Return the pull request that a body names, by its number or its address; both must say the same."""
    repository = services.repository(body.repo_url, "")
    url = body.pr_url.rstrip("/")
    found = None
    if named := _ID.search(url):
        found = await services.pull_requests.find(named[1])
    elif body.pr_number or (numbered := _NUMBER.search(url)):
        number = body.pr_number or int(numbered[1] if numbered else 0)
        found = await services.pull_requests.find_by_number(repository.key, number)
    if found is None or found.repo_key != repository.key:
        raise ProblemError(404, "pull_request_not_found", "There is no such pull request of ours")
    if body.pr_number and found.number != body.pr_number:
        raise invalid(("pr_number", "is not the number of the pull request at pr_url"))
    if url and url not in (found.url, absolute(found.url, services.public_url)):
        raise invalid(("pr_url", "is not the address of this pull request"))
    return found


ROUTES = (
    Route("GET", "/v1/pull-requests/{id}/comments", Scope.READ, list_comments),
    Route("POST", "/v1/pull-requests/{id}/comments", Scope.REVIEW, post_comment),
    Route("POST", "/v1/pr-comments", Scope.REVIEW, post_word),
)
