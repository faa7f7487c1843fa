"""Whether the server lives, whether it can work, what it is, and its figures."""

from __future__ import annotations

import platform
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

import ai_ops
from ai_ops.server import views
from ai_ops.server.auth import Route, Scope
from ai_ops.server.metrics import METRICS
from ai_ops.server.problems import json_response
from ai_ops.server.readiness import READINESS
from ai_ops.server.services import SERVICES


async def healthz(request: web.Request) -> web.StreamResponse:
    """Say that the process answers."""
    return json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.StreamResponse:
    """Say that the database can be written, otherwise 503; and why no work begins, if so."""
    await request.app[READINESS].check()
    services = request.app[SERVICES]
    pause = await services.pauses.current()
    answer: dict[str, Any] = {"status": "ready"}
    if pause:
        answer["pause"] = views.pause(pause, services.clock.now())
    if services.maintenance.current():
        answer["maintenance"] = True
    return json_response(answer)


async def version(request: web.Request) -> web.StreamResponse:
    """Which version answers."""
    return json_response(
        {"name": "ai-ops", "version": ai_ops.__version__, "python": platform.python_version()}
    )


async def metrics(request: web.Request) -> web.StreamResponse:
    """Figures in the Prometheus text format."""
    registry = request.app[METRICS]
    await registry.refresh(request.app[SERVICES])
    return web.Response(
        body=generate_latest(registry.registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
    )


ROUTES = (
    Route("GET", "/healthz", Scope.PUBLIC, healthz, query=None),
    Route("GET", "/readyz", Scope.PUBLIC, readyz, query=None),
    Route("GET", "/version", Scope.PUBLIC, version, query=None),
    Route("GET", "/metrics", Scope.READ, metrics, query=None),
)
