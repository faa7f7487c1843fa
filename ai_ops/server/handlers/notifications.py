"""Notifications: who was told what and how far that came, and another try of what failed."""

from __future__ import annotations

from aiohttp import web

from ai_ops.flow.notification import NotificationState
from ai_ops.server import views
from ai_ops.server.auth import Route, Scope
from ai_ops.server.lookup import whole_id
from ai_ops.server.paging import PAGE_NAMES, choices, page
from ai_ops.server.problems import ProblemError, json_response
from ai_ops.server.services import SERVICES


async def list_notifications(request: web.Request) -> web.StreamResponse:
    """Answer notifications, newest first, without their texts."""
    limit, cursor = page(request)
    wanted = choices(request, "state", [state.value for state in NotificationState])
    states = [NotificationState(each) for each in wanted]
    found = await request.app[SERVICES].outbox.list(states=states, limit=limit, cursor=cursor)
    items = [views.notification(each) for each in found.items]
    return json_response({"items": items, "next_cursor": found.next_cursor})


async def get_notification(request: web.Request) -> web.StreamResponse:
    """Answer one notification with its text and what programs are told."""
    found = await request.app[SERVICES].outbox.find(await whole_id(request, "notification"))
    if found is None:
        raise ProblemError(404, "notification_not_found", "There is no notification with this id")
    return json_response({**views.notification(found), "text": found.text, "data": found.data})


async def retry_notification(request: web.Request) -> web.StreamResponse:
    """Let one that failed go out again; of a digest's part, the digest."""
    again = await request.app[SERVICES].outbox.retry(await whole_id(request, "notification"))
    return json_response(views.notification(again))


ROUTES = (
    Route("GET", "/v1/notifications", Scope.READ, list_notifications, query=(*PAGE_NAMES, "state")),
    Route("GET", "/v1/notifications/{id}", Scope.READ, get_notification),
    Route("POST", "/v1/notifications/{id}/retry", Scope.WRITE, retry_notification),
)
