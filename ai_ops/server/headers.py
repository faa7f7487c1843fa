"""Headers: those that every answer carries, streams too, and the key that a request may be repeated by."""

from __future__ import annotations

import uuid

from aiohttp import web

from ai_ops.server.problems import REQUEST_ID, invalid

_MAX_KEY = 200

_SAFE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def idempotency_key(request: web.Request) -> str | None:
    """Return the ``Idempotency-Key`` of a request, None when it has none.

    Raises:
        ProblemError: 422.
    """
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (0 < len(key) <= _MAX_KEY and key.isprintable()):
        raise invalid(("Idempotency-Key", f"must be 1 to {_MAX_KEY} printable characters"))
    return key


def protect(response: web.StreamResponse, request_id: str) -> None:
    """Set the headers; a handler that knows better has set its own."""
    response.headers["X-Request-ID"] = request_id
    response.headers["Server"] = "ai-ops"
    for name, value in _SAFE.items():
        response.headers.setdefault(name, value)


async def on_prepare(request: web.Request, response: web.StreamResponse) -> None:
    """Run just before an answer's headers leave."""
    protect(response, request.get(REQUEST_ID) or uuid.uuid4().hex)
