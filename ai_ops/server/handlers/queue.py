"""The queue as a whole: whether it takes and begins work, and the words that change that."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from ai_ops.core.ports import Maintenance
from ai_ops.flow.task import TaskState
from ai_ops.server import views
from ai_ops.server.auth import Route, Scope
from ai_ops.server.bodies import read_model
from ai_ops.server.problems import json_response
from ai_ops.server.schemas import MaintenanceBody
from ai_ops.server.services import SERVICES, Services


async def get_queue(request: web.Request) -> web.StreamResponse:
    """Answer how the queue stands."""
    return json_response(await _state(request.app[SERVICES]))


async def post_resume(request: web.Request) -> web.StreamResponse:
    """End the pause of the queue: one of the tasks that wait looks at once whether the limit is over."""
    services = request.app[SERVICES]
    number = await services.steering.resume_queue()
    return json_response({"waiting": number, **await _state(services)})


async def post_maintenance(request: web.Request) -> web.StreamResponse:
    """Begin or end maintenance."""
    services = request.app[SERVICES]
    body = await read_model(request, MaintenanceBody)
    if body.on:
        reason = services.redactor.redact(body.reason)
        await asyncio.to_thread(services.maintenance.on, reason)
    else:
        await asyncio.to_thread(services.maintenance.off)
    services.engine.hold(body.on)
    return json_response(await _state(services))


async def waits(services: Services) -> str:
    """Return why nothing begins now, as words for whoever asks for work; empty when it does."""
    if maintenance := services.maintenance.current():
        return f"It waits for the end of maintenance, since {maintenance.since:%Y-%m-%d %H:%M:%S} UTC."
    if pause := await services.pauses.current():
        return f"No task asks the model before {views.moment(pause.until)} ({pause.code})."
    return ""


async def _state(services: Services) -> dict[str, Any]:
    gate, pending = await services.gate.look()
    counts = await services.tasks.counts()
    pause, rules = await services.pauses.current(), services.queue_rules
    return {
        "accepting": not gate.closed,
        "pending": pending,
        "high": rules.high,
        "low": rules.low,
        "refused": gate.refused,
        "since": views.moment(gate.since),
        "working": counts.get(TaskState.PROCESSING, 0),
        "waiting_for_turn": await services.engine.queue_depth(),
        "pause": views.pause(pause, services.clock.now()) if pause else None,
        "maintenance": maintenance_of(services.maintenance.current()),
    }


def maintenance_of(value: Maintenance | None) -> dict[str, Any] | None:
    """Return maintenance as JSON."""
    return {"since": views.moment(value.since), "reason": value.reason} if value else None


ROUTES = (
    Route("GET", "/v1/system/queue", Scope.READ, get_queue),
    Route("POST", "/v1/system/resume", Scope.WRITE, post_resume),
    Route("POST", "/v1/system/maintenance", Scope.WRITE, post_maintenance),
)
