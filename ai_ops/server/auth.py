"""Who may do what: every route declares a scope, every key carries some.

Keys are compared as hashes in constant time. Without ``SERVER_API_KEY`` the server only listens on
loopback; there, requests of browsers from other sites are still refused.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ai_ops.server.problems import ProblemError

RequestHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def header_key(request: web.Request) -> str:
    """Return the key of a request as our own clients send it; empty when there is none."""
    return request.headers.get("X-API-Key", "")


class Scope(StrEnum):
    """What a route needs."""

    PUBLIC = "public"
    EVENTS = "events:write"
    READ = "read"
    WRITE = "write"
    REVIEW = "review"
    SIGNED = "signed"
    """No key opens it: the request is signed, and its handler checks that."""


@dataclass(frozen=True, slots=True)
class Route:
    """One route: method, path, the scope it needs, its handler, and where a request's key stands.

    ``query`` are the names that its query may have; None: any, for programs of others.
    """

    method: str
    path: str
    scope: Scope
    handler: RequestHandler
    key: Callable[[web.Request], str] = header_key
    query: tuple[str, ...] | None = ()


SCOPE_OF = web.AppKey("scope_of", dict[tuple[str, str], Scope])
KEY_OF = web.AppKey("key_of", dict[tuple[str, str], Callable[[web.Request], str]])


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


class Keyring:
    """The keys that the server accepts, and what each opens."""

    def __init__(self, server_key: str, agent_keys: Sequence[str]) -> None:
        self._server = _digest(server_key) if server_key else None
        self._agents = tuple(_digest(key) for key in agent_keys if key)

    @property
    def open(self) -> bool:
        """Whether requests without a key are let through (only ever on loopback)."""
        return self._server is None

    def scopes(self, key: str) -> frozenset[Scope]:
        """Return what a key opens; nothing for an unknown one."""
        given = _digest(key)
        found: frozenset[Scope] = frozenset()
        if self._server is not None and hmac.compare_digest(given, self._server):
            found = frozenset(Scope)
        for agent in self._agents:
            if hmac.compare_digest(given, agent):
                found = found or frozenset({Scope.EVENTS})
        return found


def require_safe_listening(host: str, server_key: str) -> None:
    """Refuse to serve beyond loopback without a key.

    Raises:
        ValueError: with words for the operator.
    """
    if server_key or is_loopback(host):
        return
    raise ValueError(
        f"HTTP_HOST={host} would be reachable from other machines without a key. "
        "Set SERVER_API_KEY (or SERVER_API_KEY_FILE), or listen on 127.0.0.1."
    )


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _refuse_foreign_browsers(request: web.Request) -> None:
    """Let an open server answer only requests that name loopback, so that no web page can reach it."""
    if not is_loopback(_host(request)):
        raise ProblemError(403, "host_not_allowed", "Without SERVER_API_KEY only loopback names are answered")
    origin = request.headers.get("Origin")
    if origin and origin != f"{request.scheme}://{request.host}":
        raise ProblemError(403, "origin_not_allowed", "Requests from other sites are refused")


def _host(request: web.Request) -> str:
    """Return the host that the client named; empty when it named none that can be read."""
    if "Host" not in request.headers:
        return ""
    try:
        return request.url.host or ""
    except ValueError:
        return ""


def middleware(keyring: Keyring) -> Middleware:
    """Return the middleware that holds every route to its scope."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.match_info.http_exception is not None:  # the router's 404 or 405 follows
            return await handler(request)
        resource = request.match_info.route.resource
        method = "GET" if request.method == "HEAD" else request.method
        name = (method, resource.canonical if resource else "")
        scope = request.app[SCOPE_OF].get(name)
        if scope is None:
            raise ProblemError(403, "scope_undeclared", "This route is closed: it declares no scope")
        if scope not in (Scope.PUBLIC, Scope.SIGNED):
            _authorise(request, request.app[KEY_OF].get(name, header_key)(request), keyring, scope)
        return await handler(request)

    return check


def _authorise(request: web.Request, key: str, keyring: Keyring, scope: Scope) -> None:
    if not key:
        if not keyring.open:
            raise _unauthorised("key_missing", "Send a key in the X-API-Key header")
        _refuse_foreign_browsers(request)
        return
    scopes = keyring.scopes(key)
    if not scopes:
        raise _unauthorised("key_unknown", "The key in X-API-Key is not known here")
    if scope not in scopes:
        raise ProblemError(403, "scope_missing", f"This key does not open routes that need {scope}")


def _unauthorised(code: str, detail: str) -> ProblemError:
    return ProblemError(401, code, detail, headers={"WWW-Authenticate": 'ApiKey header="X-API-Key"'})
