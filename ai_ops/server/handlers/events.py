"""``POST /v1/events``: take a batch of an agent; answer only after the durable commit."""

from __future__ import annotations

from aiohttp import web

from ai_ops.errors import AiOpsError
from ai_ops.server.auth import Route, Scope
from ai_ops.server.bodies import read_json
from ai_ops.server.intake import take_batch
from ai_ops.server.metrics import METRICS
from ai_ops.server.problems import ProblemError, json_response
from ai_ops.server.services import SERVICES

MAX_BATCH = 500
BATCH_BYTES = 16 * 1024 * 1024


async def post_events(request: web.Request) -> web.StreamResponse:
    """Accept what is valid, name what is not, and tell duplicates apart."""
    value = await read_json(request, limit=BATCH_BYTES)
    batch = value.get("events") if isinstance(value, dict) else None
    if not isinstance(batch, list):
        reason = "a list is required"
        errors = [{"field": "events", "reason": reason}]
        raise ProblemError(422, "invalid_request", f"events: {reason}", errors=errors)
    if len(batch) > MAX_BATCH:
        raise ProblemError(413, "too_many_events", f"Send at most {MAX_BATCH} events at once")
    events = request.app[METRICS].events
    try:
        taken = await take_batch(batch, request.app[SERVICES])
    except AiOpsError:
        events.labels("refused").inc(len(batch))
        raise
    for outcome, number in (
        ("stored", taken.accepted - taken.only_counted),
        ("only_counted", taken.only_counted),
        ("duplicate", taken.duplicates),
        ("rejected", len(taken.rejected)),
    ):
        events.labels(outcome).inc(number)
    return json_response(
        {"accepted": taken.accepted, "duplicates": taken.duplicates, "rejected": taken.rejected}
    )


ROUTES = (Route("POST", "/v1/events", Scope.EVENTS, post_events, query=None),)
