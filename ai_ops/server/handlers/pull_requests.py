"""Pull requests: our records of them, and the merge of local ones."""

from __future__ import annotations

from aiohttp import web

from ai_ops.core.failures import failed
from ai_ops.errors import PermanentError
from ai_ops.flow.pull_request import PullRequest, PullRequestState
from ai_ops.server import views
from ai_ops.server.auth import Route, Scope
from ai_ops.server.lookup import whole_id
from ai_ops.server.paging import PAGE_NAMES, choices, page
from ai_ops.server.problems import ProblemError, from_failure, json_response
from ai_ops.server.services import SERVICES


async def list_pull_requests(request: web.Request) -> web.StreamResponse:
    """Answer pull requests, newest first."""
    limit, cursor = page(request)
    services = request.app[SERVICES]
    wanted = choices(request, "state", [state.value for state in PullRequestState])
    states = [PullRequestState(each) for each in wanted]
    found = await services.pull_requests.list(states=states, limit=limit, cursor=cursor)
    items = [views.pull_request(p, services.public_url) for p in found.items]
    return json_response({"items": items, "next_cursor": found.next_cursor})


async def get_pull_request(request: web.Request) -> web.StreamResponse:
    """Answer one pull request, and once it is merged whether it holds."""
    services, found = request.app[SERVICES], await find_pull_request(request)
    watches = await services.fix_watches.of_pull_request(found.id)
    watched = [views.fix_watch(watch, services.public_url) for watch in watches]
    return json_response(views.pull_request(found, services.public_url) | {"fix_watches": watched})


async def merge_pull_request(request: web.Request) -> web.StreamResponse:
    """Merge a local pull request; on GitHub and GitLab people merge there. Safe to repeat."""
    services = request.app[SERVICES]
    found = await find_pull_request(request)
    if found.state is PullRequestState.MERGED:
        return json_response(views.pull_request(found, services.public_url) | {"merge_sha": None})
    if found.state is not PullRequestState.OPEN:
        raise failed("pull_request_not_open", f"the pull request is {found.state}")
    repository = services.repository(found.repo_url, found.code_host)
    try:
        merge_sha = await services.hosts[found.code_host].merge_pull_request(repository, found)
    except PermanentError as failure:
        # Whatever the remote or the host has against it: it is their state that does not allow it.
        raise from_failure(failure, otherwise=409) from failure
    merged = await services.pull_requests.set_state(found.id, PullRequestState.MERGED)
    return json_response(views.pull_request(merged, services.public_url) | {"merge_sha": merge_sha})


async def close_pull_request(request: web.Request) -> web.StreamResponse:
    """Close a pull request unmerged: a person says no. Safe to repeat."""
    services = request.app[SERVICES]
    found = await find_pull_request(request)
    if found.state is PullRequestState.MERGED:
        raise failed("pull_request_not_open", "the pull request is merged")
    if found.state is PullRequestState.OPEN:
        repository = services.repository(found.repo_url, found.code_host)
        try:
            await services.hosts[found.code_host].close_pull_request(repository, found.number)
        except PermanentError as failure:
            raise from_failure(failure, otherwise=409) from failure
        found = await services.pull_requests.set_state(found.id, PullRequestState.CLOSED)
    return json_response(views.pull_request(found, services.public_url))


async def find_pull_request(request: web.Request) -> PullRequest:
    """Return the pull request that the path names, or answer 404."""
    found = await request.app[SERVICES].pull_requests.find(await whole_id(request, "pull_request"))
    if found is None:
        raise ProblemError(404, "pull_request_not_found", "There is no pull request with this id")
    return found


ROUTES = (
    Route("GET", "/v1/pull-requests", Scope.READ, list_pull_requests, query=(*PAGE_NAMES, "state")),
    Route("GET", "/v1/pull-requests/{id}", Scope.READ, get_pull_request),
    Route("POST", "/v1/pull-requests/{id}/merge", Scope.REVIEW, merge_pull_request),
    Route("POST", "/v1/pull-requests/{id}/close", Scope.REVIEW, close_pull_request),
)
