"""Puts every verb of a person or a key on record before it is carried out, and what was refused after it.

The line is written first: what is not on record does not happen. Reading is no verb, and events are data.
"""

from __future__ import annotations

import hashlib

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ai_ops.core.ports import Audit
from ai_ops.errors import AiOpsError
from ai_ops.server.auth import KEY_OF, SCOPE_OF, Scope, header_key
from ai_ops.server.problems import ProblemError

_VERBS = frozenset({Scope.WRITE, Scope.REVIEW})


def who(request: web.Request) -> str:
    """Return who asks, as the audit log names them: the beginning of a key's digest, never the key."""
    key = header_key(request)
    return f"key {hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()[:12]}" if key else "loopback"


def middleware(audit: Audit) -> Middleware:
    """Return the middleware; it stands behind the one that asks for the key."""

    @web.middleware
    async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        name = (request.method, resource.canonical if resource else "")
        if request.app[SCOPE_OF].get(name) not in _VERBS or request.app[KEY_OF].get(name) is not header_key:
            return await handler(request)
        verb, subject = " ".join(name), request.match_info.get("id", "")
        await audit.append(who(request), verb, subject)
        try:
            return await handler(request)
        except (ProblemError, AiOpsError) as refused:
            await audit.append(who(request), f"{verb} refused", subject, {"code": refused.code})
            raise

    return record
