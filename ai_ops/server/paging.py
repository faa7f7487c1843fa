"""The query of a request: its names, ``limit`` and ``cursor`` of lists, and values from a closed set."""

from __future__ import annotations

from collections.abc import Collection

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ai_ops.server.auth import Route
from ai_ops.server.problems import ProblemError, invalid

MAX_LIMIT = 200
DEFAULT_LIMIT = 50
_LONGEST_TEXT = 2048
_LONGEST_NAME = 100
PAGE_NAMES = ("limit", "cursor")


def middleware(routes: Collection[Route]) -> Middleware:
    """Return the middleware that refuses names that a route does not know.

    Without it a misspelt ``dry_run`` would queue a task, and a misspelt filter answer everything.
    """
    known = {(route.method, route.path): route.query for route in routes}

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        method = "GET" if request.method == "HEAD" else request.method
        names = known.get((method, resource.canonical if resource else ""))
        if names is not None and (unknown := [name for name in request.query if name not in names]):
            there = f"there is {', '.join(names)}" if names else "it takes none"
            reason = f"is not a query parameter of this route: {there}"
            raise invalid(*((_field(name), reason) for name in dict.fromkeys(unknown)))
        return await handler(request)

    return check


def _field(name: str) -> str:
    return name[:_LONGEST_NAME] if name and name.isprintable() else "query"


def page(request: web.Request) -> tuple[int, str | None]:
    """Return limit and cursor."""
    raw = request.query.get("limit", str(DEFAULT_LIMIT))
    if not (raw.isascii() and raw.isdigit() and len(raw) <= 9 and 1 <= int(raw) <= MAX_LIMIT):
        raise invalid(("limit", f"must be a whole number from 1 to {MAX_LIMIT}"))
    return int(raw), request.query.get("cursor") or None


def choices(request: web.Request, field: str, allowed: Collection[str]) -> tuple[str, ...]:
    """Return the values of a repeatable query field."""
    values = tuple(request.query.getall(field, []))
    for value in values:
        if value not in allowed:
            raise invalid((field, f"must be one of: {', '.join(sorted(allowed))}"))
    return values


def query_id(request: web.Request, field: str) -> str | None:
    """Return an id of the query, or None when it is not given."""
    value = request.query.get(field)
    if value is not None and not _can_be_id(value):
        raise invalid((field, "is not an id"))
    return value


def query_text(request: web.Request, field: str) -> str:
    """Return a short text of the query, empty when it is not given."""
    value = request.query.get(field, "")
    if len(value) > _LONGEST_TEXT or not value.isprintable():
        raise invalid((field, f"must be at most {_LONGEST_TEXT} printable characters"))
    return value


def flag(request: web.Request, field: str) -> bool:
    """Return a yes or no of the query; not given is no."""
    value = request.query.get(field, "false")
    if value not in ("true", "false"):
        raise invalid((field, "must be true or false"))
    return value == "true"


def path_id(request: web.Request, name: str = "id") -> str:
    """Return an id of the path; what cannot be one is simply not found."""
    value = request.match_info[name]
    if not _can_be_id(value):
        raise ProblemError(404, "not_found", "Not found")
    return value


def _can_be_id(value: str) -> bool:
    return 0 < len(value) <= 200 and value.isprintable()
