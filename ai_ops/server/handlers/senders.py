"""What applications send by themselves: Sentry envelopes, and logs of OpenTelemetry over HTTP.

Both answer after the durable commit, and a body that is sent again is counted once.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from ai_ops.errors import AiOpsError
from ai_ops.server.auth import Route, Scope, header_key
from ai_ops.server.bodies import parse_json, read_bytes
from ai_ops.server.handlers.events import BATCH_BYTES, MAX_BATCH
from ai_ops.server.intake import take_batches
from ai_ops.server.metrics import METRICS
from ai_ops.server.problems import ProblemError, json_response
from ai_ops.server.senders import otlp, protobuf, sentry
from ai_ops.server.services import SERVICES, Services

_PROTOBUF = "application/x-protobuf"
_REASON = 1000
_ENVELOPE_TYPES = (
    "application/x-sentry-envelope",
    "application/octet-stream",
    "text/plain",
    "application/json",
)


def _sentry_key(request: web.Request) -> str:
    """Return the public key of a DSN; where the server asks for no keys, whatever a DSN says is none."""
    said = sentry.key_of(request.headers.get("X-Sentry-Auth", "")) or request.query.get("sentry_key", "")
    services = request.app[SERVICES]
    return header_key(request) or (
        "" if services.keyring.open and not services.keyring.scopes(said) else said
    )


async def post_envelope(request: web.Request) -> web.StreamResponse:
    """Take the error events of an envelope; what else is in it is dropped, and asked not to be sent."""
    project = request.match_info["project"]
    services = request.app[SERVICES]
    sender = services.senders.find("sentry", project)
    if sender is None:
        raise ProblemError(
            422, "sender_unmapped", f"No [[source]] of kind sentry names project {project[:100]}"
        )
    body = await read_bytes(request, limit=BATCH_BYTES, types=_ENVELOPE_TYPES)
    now = services.clock.now()
    try:
        envelope, events = await asyncio.to_thread(sentry.read_envelope, body, project, sender, now)
    except ValueError as reason:
        raise ProblemError(400, "malformed_envelope", f"The body is no envelope: {reason}") from None
    rejected = await _take(request, "sentry", events, len(envelope.items) - len(events))
    if rejected:
        raise ProblemError(422, "event_rejected", rejected[0]["reason"])
    limits = sentry.rate_limits(envelope.unwanted)
    return json_response(
        {"id": envelope.event_id}, headers={"X-Sentry-Rate-Limits": limits} if limits else None
    )


async def post_logs(request: web.Request) -> web.StreamResponse:
    """Take the errors of an export request, and say what was not taken as the protocol wants it."""
    services = request.app[SERVICES]
    body = await read_bytes(request, limit=BATCH_BYTES, types=(_PROTOBUF, "application/json"))
    binary = request.content_type == _PROTOBUF
    read = await asyncio.to_thread(_read_logs, body, binary, services)
    unmapped = sum(read.unmapped.values())
    rejected = await _take(request, "otlp", read.events, read.dropped, unmapped)
    reasons = [f"no [[source]] of kind otlp names the service {name!r}" for name in read.unmapped]
    reason = "; ".join([*reasons, *(item["reason"] for item in rejected)])[:_REASON]
    count = unmapped + len(rejected)
    if binary:
        return web.Response(body=protobuf.write_response(count, reason), content_type=_PROTOBUF)
    partial = {"partialSuccess": {"rejectedLogRecords": str(count), "errorMessage": reason}}
    return json_response(partial if count else {})


def _read_logs(body: bytes, binary: bool, services: Services) -> otlp.Read:
    try:
        value: Any = protobuf.read_request(body) if binary else parse_json(body)
    except ValueError as reason:
        raise ProblemError(400, "malformed_protobuf", f"The body is no export request: it {reason}") from None
    if not isinstance(value, dict):
        raise ProblemError(400, "malformed_json", "The body is no export request: it is not an object")
    return otlp.read_logs(value, lambda name: services.senders.find("otlp", name), services.clock.now())


async def _take(
    request: web.Request, sender: str, events: list[dict[str, Any]], dropped: int, unmapped: int = 0
) -> list[dict[str, Any]]:
    """Commit events, count what became of everything, and return what was rejected.

    Each batch is counted when it is taken. Where one cannot be, its events and those behind it are refused;
    what was not for us is counted only with the request that is taken whole, because this one comes again.
    """
    left = len(events)
    rejected: list[dict[str, Any]] = []
    counter = request.app[METRICS].sender_items
    try:
        async for taken in take_batches(events, MAX_BATCH, request.app[SERVICES]):
            left -= taken.accepted + taken.duplicates + len(taken.rejected)
            rejected += taken.rejected
            counter.labels(sender, "accepted").inc(taken.accepted)
            counter.labels(sender, "duplicate").inc(taken.duplicates)
            counter.labels(sender, "rejected").inc(len(taken.rejected))
    except AiOpsError:
        counter.labels(sender, "refused").inc(left)
        raise
    counter.labels(sender, "dropped").inc(dropped)
    counter.labels(sender, "rejected").inc(unmapped)
    return rejected


ROUTES = (
    Route("POST", "/v1/logs", Scope.EVENTS, post_logs, query=None),
    Route("POST", "/api/{project}/envelope/", Scope.EVENTS, post_envelope, _sentry_key, query=None),
)
