"""The query of list routes: ``limit`` and ``cursor``, and values from a closed set."""

from __future__ import annotations

from collections.abc import Collection

from aiohttp import web

from ai_ops.server.problems import ProblemError

MAX_LIMIT = 200
DEFAULT_LIMIT = 50


def invalid(field: str, reason: str) -> ProblemError:
    """Return the problem of one bad query field."""
    return ProblemError(
        422, "invalid_request", f"{field}: {reason}", errors=[{"field": field, "reason": reason}]
    )


def page(request: web.Request) -> tuple[int, str | None]:
    """Return limit and cursor."""
    raw = request.query.get("limit", str(DEFAULT_LIMIT))
    if not (raw.isascii() and raw.isdigit() and len(raw) <= 9 and 1 <= int(raw) <= MAX_LIMIT):
        raise invalid("limit", f"must be a whole number from 1 to {MAX_LIMIT}")
    return int(raw), request.query.get("cursor") or None


def choices(request: web.Request, field: str, allowed: Collection[str]) -> tuple[str, ...]:
    """Return the values of a repeatable query field."""
    values = tuple(request.query.getall(field, []))
    for value in values:
        if value not in allowed:
            raise invalid(field, f"must be one of: {', '.join(sorted(allowed))}")
    return values


def path_id(request: web.Request, name: str = "id") -> str:
    """Return an id of the path; what cannot be one is simply not found."""
    value = request.match_info[name]
    if len(value) > 200 or "\x00" in value or not value.isprintable():
        raise ProblemError(404, "not_found", "Not found")
    return value
