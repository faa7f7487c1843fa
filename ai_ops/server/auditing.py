"""Puts every verb of a person or a key on record before it is carried out; then what it made, or why not.

The line is written first: what is not on record does not happen. Reading is no verb, and events are data.
"""

from __future__ import annotations

import hashlib
import logging

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ai_ops.core.ports import Audit
from ai_ops.errors import AiOpsError
from ai_ops.server.auth import KEY_OF, SCOPE_OF, Scope, header_key
from ai_ops.server.problems import ProblemError

log = logging.getLogger(__name__)

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
            answer = await handler(request)
        except (ProblemError, AiOpsError) as refused:
            await audit.append(who(request), f"{verb} refused", subject, {"code": refused.code})
            raise
        if answer.status == 201 and (made := answer.headers.get("Location")):
            of = {"of": subject} if subject else {}
            await _note_made(audit, who(request), f"{verb} made", made.rpartition("/")[2], of)
        return answer

    return record


async def _note_made(audit: Audit, by: str, verb: str, made: str, detail: dict[str, str]) -> None:
    """Say what was made; it is there already, so whoever asked is answered whatever becomes of the line."""
    try:
        await audit.append(by, verb, made, detail)
    except AiOpsError as failure:
        log.error("the audit log lacks %s %s: %s", verb, made, failure)
