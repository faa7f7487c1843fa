"""Builds the app and serves it until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import uuid
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from ai_ops.server import auditing, auth, headers, metrics, paging
from ai_ops.server.handlers import (
    bug_cases,
    comments,
    events,
    health,
    housekeeping,
    issues,
    notifications,
    pull_requests,
    queue,
    schedules,
    security,
    senders,
    stream,
    tasks,
    templates,
    traces,
    webhooks,
    workers,
    workflows,
)
from ai_ops.server.problems import ProblemError, answer, problem_middleware
from ai_ops.server.readiness import READINESS, Readiness
from ai_ops.server.services import SERVICES, Services

log = logging.getLogger(__name__)

ROUTES = (
    *health.ROUTES,
    *events.ROUTES,
    *senders.ROUTES,
    *tasks.ROUTES,
    *stream.ROUTES,
    *issues.ROUTES,
    *traces.ROUTES,
    *pull_requests.ROUTES,
    *comments.ROUTES,
    *webhooks.ROUTES,
    *bug_cases.ROUTES,
    *notifications.ROUTES,
    *schedules.ROUTES,
    *workers.ROUTES,
    *housekeeping.ROUTES,
    *security.ROUTES,
    *queue.ROUTES,
    *templates.ROUTES,
    *workflows.ROUTES,
)
_SHUTDOWN_SECONDS = 2.0


def build_app(services: Services) -> web.Application:
    """Return the app over its services."""
    figures = metrics.Metrics(services)
    app = web.Application(
        middlewares=[
            metrics.middleware(figures),
            problem_middleware,
            auth.middleware(services.keyring),
            auditing.middleware(services.guarding.audit),
            paging.middleware(ROUTES),
        ]
    )
    app[SERVICES] = services
    app[metrics.METRICS] = figures
    app[auth.KEY_OF] = {(route.method, route.path): route.key for route in ROUTES}
    app[READINESS] = Readiness(services.ready)
    app[auth.SCOPE_OF] = {(route.method, route.path): route.scope for route in ROUTES}
    app[stream.STREAMS] = set()
    app.on_shutdown.append(stream.end_streams)
    app.on_response_prepare.append(headers.on_prepare)
    for route in ROUTES:
        if route.method == "GET":
            app.router.add_get(route.path, route.handler)  # HEAD too
        else:
            app.router.add_route(route.method, route.path, route.handler)
    return app


class _Connection(web.RequestHandler):
    """A connection that answers what is not HTTP in the same shape as every other failure."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer and close. What the parser says may quote a header, so it is not repeated."""
        if request.writer.output_size > 0:  # an answer is under way; all that is left is to break it off
            return super().handle_error(request, status, exc, message)
        request_id = uuid.uuid4().hex
        if status >= 500:
            log.error("unexpected failure, request %s", request_id, exc_info=exc)
            problem = ProblemError(500, "internal_error", "Unexpected failure; see the server's log")
        else:
            problem = ProblemError(status, "malformed_request", "The request is not valid HTTP")
        response = answer(problem, request_id)
        headers.protect(response, request_id)
        response.force_close()
        return response


@dataclass(frozen=True, slots=True)
class Listening:
    """A server that answers; ``port`` is the one it got."""

    runner: web.AppRunner
    server: asyncio.Server
    host: str
    port: int

    @property
    def url(self) -> str:
        """Its root address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def stop(self) -> None:
        """Stop answering; running requests get a moment to end."""
        self.server.close()
        await self.runner.cleanup()


async def listen(app: web.Application, host: str, port: int) -> Listening:
    """Serve the app.

    Raises:
        OSError: the address cannot be listened on.
    """
    runner = web.AppRunner(app, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    loop = asyncio.get_running_loop()
    manager = runner.server
    assert manager is not None  # it is set up
    # Bodies are inflated by us, under a cap.
    options: dict[str, Any] = {"access_log": None, "auto_decompress": False}

    def connection() -> web.RequestHandler:
        return _Connection(manager, loop=loop, **options)

    try:
        server = await loop.create_server(connection, host, port, reuse_address=True)
    except OSError:
        await runner.cleanup()
        raise
    return Listening(runner, server, host, server.sockets[0].getsockname()[1])
