"""Issues: what goes wrong, how often, and what was made of it."""

from __future__ import annotations

from aiohttp import web

from ai_ops.server import views
from ai_ops.server.auth import Route, Scope
from ai_ops.server.paging import page, path_id
from ai_ops.server.problems import ProblemError, json_response
from ai_ops.server.services import SERVICES


async def list_issues(request: web.Request) -> web.StreamResponse:
    """Answer issues, newest first."""
    limit, cursor = page(request)
    found = await request.app[SERVICES].issues.list(limit=limit, cursor=cursor)
    return json_response({"items": [views.issue(i) for i in found.items], "next_cursor": found.next_cursor})


async def get_issue(request: web.Request) -> web.StreamResponse:
    """Answer one issue."""
    issue = await request.app[SERVICES].issues.find(path_id(request))
    if issue is None:
        raise ProblemError(404, "issue_not_found", "There is no issue with this id")
    return json_response(views.issue(issue))


ROUTES = (
    Route("GET", "/v1/issues", Scope.READ, list_issues),
    Route("GET", "/v1/issues/{id}", Scope.READ, get_issue),
)
