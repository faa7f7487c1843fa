"""The headers that every answer carries, streams too: its request's id, and what keeps browsers safe."""

from __future__ import annotations

import uuid

from aiohttp import web

from ai_ops.server.problems import REQUEST_ID

_SAFE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def protect(response: web.StreamResponse, request_id: str) -> None:
    """Set the headers; a handler that knows better has set its own."""
    response.headers["X-Request-ID"] = request_id
    response.headers["Server"] = "ai-ops"
    for name, value in _SAFE.items():
        response.headers.setdefault(name, value)


async def on_prepare(request: web.Request, response: web.StreamResponse) -> None:
    """Run just before an answer's headers leave."""
    protect(response, request.get(REQUEST_ID) or uuid.uuid4().hex)
