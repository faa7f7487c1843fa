"""Schedules: create, read, change and delete them, and make a task of one now."""

from __future__ import annotations

import asyncio
import uuid
from itertools import islice
from typing import Any

from aiohttp import web

from ai_ops.core.ports import NewTask
from ai_ops.core.schedules import Cron, parse
from ai_ops.errors import PermanentError
from ai_ops.flow.judgement import Role
from ai_ops.flow.schedule import Schedule
from ai_ops.server import views
from ai_ops.server.auth import Route, Scope
from ai_ops.server.bodies import read_model
from ai_ops.server.handlers.tasks import new_prompt, parts_of
from ai_ops.server.headers import idempotency_key
from ai_ops.server.lookup import whole_id
from ai_ops.server.paging import PAGE_NAMES, page
from ai_ops.server.problems import ProblemError, invalid, json_response
from ai_ops.server.schemas import NewTaskBody, ScheduleBody, ScheduleChangeBody
from ai_ops.server.services import SERVICES, Services

_NEXT_RUNS = 5


async def post_schedule(request: web.Request) -> web.StreamResponse:
    """Create a schedule; 200 with the one that was imported under the same external id before."""
    services = request.app[SERVICES]
    body = await read_model(request, ScheduleBody)
    cron = _cron(body.cron, body.timezone)
    now = services.clock.now()
    task = await _admitted(body.task, cron, services)
    wanted = Schedule(
        id=str(uuid.uuid4()),
        name=services.redactor.redact(body.name),
        cron=cron.expression,
        timezone=body.timezone,
        task=task,
        created_at=now,
        updated_at=now,
        enabled=body.enabled,
        missed=body.missed,
        overlap=body.overlap,
        next_at=cron.after(now) if body.enabled else None,
        external_id=body.external_id,
    )
    schedule, created = await services.schedules.create(wanted)
    return json_response(
        _shown(schedule, services),
        status=201 if created else 200,
        headers={"Location": f"/v1/schedules/{schedule.id}"},
    )


async def list_schedules(request: web.Request) -> web.StreamResponse:
    """Answer schedules, newest first."""
    limit, cursor = page(request)
    services = request.app[SERVICES]
    found = await services.schedules.list(limit=limit, cursor=cursor)
    items = [_shown(schedule, services) for schedule in found.items]
    return json_response({"items": items, "next_cursor": found.next_cursor})


async def get_schedule(request: web.Request) -> web.StreamResponse:
    """Answer a schedule with what became of its newest times."""
    services = request.app[SERVICES]
    schedule = await _find(request)
    newest = await services.schedules.ticks(schedule.id, limit=20)
    ticks = [views.tick(tick) for tick in newest.items]
    return json_response(_shown(schedule, services) | {"ticks": ticks})


async def patch_schedule(request: web.Request) -> web.StreamResponse:
    """Change what is given. A changed time, or being enabled, counts from now on."""
    services = request.app[SERVICES]
    before = await _find(request)
    body = await read_model(request, ScheduleChangeBody)
    given: dict[str, Any] = {
        name: getattr(body, name) for name in body.model_fields_set if getattr(body, name) is not None
    }
    if "name" in given:
        given["name"] = services.redactor.redact(given["name"])
    cron = _cron(given.get("cron", before.cron), given.get("timezone", before.timezone))
    if body.task is not None:
        given["task"] = await _admitted(body.task, cron, services)
    if "cron" in given:
        given["cron"] = cron.expression
    enabled = given.get("enabled", before.enabled)
    times = {name: given.get(name, getattr(before, name)) for name in ("cron", "timezone", "enabled")}
    if any(getattr(before, name) != value for name, value in times.items()):
        given["next_at"] = cron.after(services.clock.now()) if enabled else None
    changed = await services.schedules.update(before.id, **given) if given else before
    return json_response(_shown(changed, services))


async def delete_schedule(request: web.Request) -> web.StreamResponse:
    """Delete a schedule; the tasks that it made stay."""
    schedule = await _find(request)
    await request.app[SERVICES].schedules.delete(schedule.id)
    return web.Response(status=204)


async def run_schedule(request: web.Request) -> web.StreamResponse:
    """Make a schedule's task now, whether it is enabled or not. Its times stay as they are."""
    services = request.app[SERVICES]
    schedule = await _find(request)
    key = idempotency_key(request) or str(uuid.uuid4())
    tick = await services.scheduling.run_now(schedule, key)
    return json_response(
        {"task_id": tick.task_id, "schedule_id": schedule.id},
        status=201,
        headers={"Location": f"/v1/tasks/{tick.task_id}"},
    )


def _cron(expression: str, timezone: str) -> Cron:
    try:
        return parse(expression, timezone)
    except PermanentError as failure:
        field = "timezone" if failure.code == "bad_timezone" else "cron"
        raise invalid((field, f"{failure.message}. {failure.next_step}")) from None


async def _admitted(body: NewTaskBody, cron: Cron, services: Services) -> dict[str, Any]:
    """Return what the tasks are made of, checked and guarded as the first of them would be.

    Raises:
        PermanentError: ``policy_violated``, ``command_blocked``.
    """
    new = await asyncio.to_thread(_new, body, services)
    first = cron.after(services.clock.now())
    key = new.repository.key if new.repository else ""
    await services.guarding.admit(new.payload, key, Role.SCHEDULE, at=first)
    return parts_of(new)


def _new(body: NewTaskBody, services: Services) -> NewTask:
    """Return the prompt task that a body means, without secrets."""
    misfits = [(f"task.{name}", reason) for name, reason in body.misfits()]
    if body.prompt is None and not misfits:
        misfits = [("task.prompt", "a schedule makes prompt tasks")]
    if misfits:
        raise invalid(*misfits)
    return new_prompt(body, services, None)


def _shown(schedule: Schedule, services: Services) -> dict[str, Any]:
    """Return a schedule with its next times; a disabled one has none."""
    cron = parse(schedule.cron, schedule.timezone)
    times = [schedule.next_at] if schedule.next_at else []
    times += list(islice(cron.moments(times[0]), _NEXT_RUNS - 1)) if times else []
    return views.schedule(schedule, cron, times)


async def _find(request: web.Request) -> Schedule:
    found = await request.app[SERVICES].schedules.find(await whole_id(request, "schedule"))
    if found is None:
        raise ProblemError(404, "schedule_not_found", "There is no schedule with this id")
    return found


ROUTES = (
    Route("GET", "/v1/schedules", Scope.READ, list_schedules, query=PAGE_NAMES),
    Route("POST", "/v1/schedules", Scope.WRITE, post_schedule),
    Route("GET", "/v1/schedules/{id}", Scope.READ, get_schedule),
    Route("PATCH", "/v1/schedules/{id}", Scope.WRITE, patch_schedule),
    Route("DELETE", "/v1/schedules/{id}", Scope.WRITE, delete_schedule),
    Route("POST", "/v1/schedules/{id}/run", Scope.WRITE, run_schedule),
)
