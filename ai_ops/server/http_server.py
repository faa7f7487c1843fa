"""Builds the app and serves it until it is told to stop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import web

from ai_ops.server import auth, metrics
from ai_ops.server.handlers import events, health, issues, pull_requests, tasks, traces
from ai_ops.server.problems import problem_middleware
from ai_ops.server.services import SERVICES, Services

ROUTES = (
    *health.ROUTES,
    *events.ROUTES,
    *tasks.ROUTES,
    *issues.ROUTES,
    *traces.ROUTES,
    *pull_requests.ROUTES,
)
_SHUTDOWN_SECONDS = 2.0


def build_app(services: Services) -> web.Application:
    """Return the app over its services."""
    figures = metrics.Metrics()
    app = web.Application(
        middlewares=[
            metrics.middleware(figures),
            problem_middleware,
            auth.middleware(services.keyring),
        ]
    )
    app[SERVICES] = services
    app[metrics.METRICS] = figures
    app[auth.SCOPE_OF] = {(route.method, route.path): route.scope for route in ROUTES}
    app.add_routes([web.route(r.method, r.path, r.handler) for r in ROUTES])
    return app


@dataclass(frozen=True, slots=True)
class Listening:
    """A server that answers; ``port`` is the one it got."""

    runner: web.AppRunner
    host: str
    port: int

    @property
    def url(self) -> str:
        """Its root address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def stop(self) -> None:
        """Stop answering; running requests get a moment to end."""
        await self.runner.cleanup()


async def listen(app: web.Application, host: str, port: int) -> Listening:
    """Serve the app.

    Raises:
        OSError: the address cannot be listened on.
    """
    # Bodies are inflated by us, under a cap.
    runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, reuse_address=True)
        await site.start()
    except OSError:
        await runner.cleanup()
        raise
    sockets = site._server.sockets if isinstance(site._server, asyncio.Server) else ()
    return Listening(runner, host, sockets[0].getsockname()[1] if sockets else port)
