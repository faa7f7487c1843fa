"""Tasks: create, read, follow live, and the verbs of a person."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import Any

import orjson
from aiohttp import web
from aiohttp_sse import sse_response

from ai_ops.core.describe import describe
from ai_ops.core.ports import NewTask, TaskFilter
from ai_ops.core.verbs import decide
from ai_ops.errors import PermanentError
from ai_ops.flow.event import Event, EventRepo
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import Priority, Task, TaskKind, TaskState
from ai_ops.server import views
from ai_ops.server.auth import RequestHandler, Route, Scope
from ai_ops.server.bodies import read_model
from ai_ops.server.paging import choices, page, path_id
from ai_ops.server.problems import ProblemError, json_response
from ai_ops.server.schemas import NewTaskBody
from ai_ops.server.services import SERVICES, Services


async def post_task(request: web.Request) -> web.StreamResponse:
    """Create a task, or answer the one that already stands for the same wish."""
    services = request.app[SERVICES]
    body = await read_model(request, NewTaskBody)
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (0 < len(key) <= 200 and key.isprintable()):
        raise ProblemError(422, "invalid_request", "Idempotency-Key: must be 1 to 200 printable characters")
    new = _repair(body, services, key) if body.error_content is not None else _prompt(body, services, key)
    created = await services.tasks.create(new)
    if created.created:
        await services.engine.enqueue(created.task)
    answer = views.task(created.task) | ({"reason": created.reason} if created.reason else {})
    return json_response(
        answer,
        status=201 if created.created else 200,
        headers={"Location": f"/v1/tasks/{created.task.id}"},
    )


def _repair(body: NewTaskBody, services: Services, key: str | None) -> NewTask:
    repository = _resolve(body.repo_url or "", body.code_host, services)
    detail, level = describe(services.redactor.redact(body.error_content or ""))
    event = Event(
        event_id=str(uuid.uuid4()),
        occurred_at=services.clock.now(),
        repo=EventRepo(repository.url, repository.code_host),
        error=detail,
        service=body.service,
        environment=body.environment,
        release=body.release,
        level=level,
    )
    payload: dict[str, Any] = {"requested_by": "person"}
    if body.fix_mode is not None:
        payload["fix_mode"] = body.fix_mode
    if body.budget_usd is not None:
        payload["budget_usd"] = body.budget_usd
    return NewTask(TaskKind.REPAIR, repository, body.priority, payload, event, key)


def _prompt(body: NewTaskBody, services: Services, key: str | None) -> NewTask:
    if body.folder is not None:
        raise ProblemError(
            422,
            "folder_not_allowed",
            "folder: this server works on repositories only; give repo_url",
            errors=[{"field": "folder", "reason": "this server works on repositories only"}],
        )
    repository = _resolve(body.repo_url, body.code_host, services) if body.repo_url else None
    redact = services.redactor.redact
    payload = {
        "prompt": redact(body.prompt or ""),
        "name": redact(body.name),
        "description": redact(body.description),
        "type": body.type or "heavy_context",
        "allowed_tools": body.allowed_tools,
        "budget_usd": body.budget_usd,
        "timeout_seconds": body.timeout_seconds,
    }
    return NewTask(TaskKind.PROMPT, repository, body.priority, payload, None, key)


def _resolve(repo_url: str, code_host: str, services: Services) -> Repository:
    try:
        return services.rules.resolve(repo_url, code_host)
    except PermanentError as failure:
        field = "code_host" if "code_host" in failure.code else "repo_url"
        detail = f"{failure.message}. {failure.next_step}".strip()
        raise ProblemError(
            422, failure.code, detail, errors=[{"field": field, "reason": failure.message}]
        ) from None


async def get_task(request: web.Request) -> web.StreamResponse:
    """Answer one task."""
    return json_response(views.task(await _find(request)))


async def list_tasks(request: web.Request) -> web.StreamResponse:
    """Answer tasks, newest first."""
    limit, cursor = page(request)
    wanted = TaskFilter(
        states=choices(request, "state", [s.value for s in TaskState]),
        kinds=choices(request, "kind", [k.value for k in TaskKind]),
        priorities=choices(request, "priority", [p.value for p in Priority]),
        issue_id=request.query.get("issue_id"),
    )
    found = await request.app[SERVICES].tasks.list(wanted, limit=limit, cursor=cursor)
    return json_response({"items": [views.task(t) for t in found.items], "next_cursor": found.next_cursor})


def verb(name: str) -> RequestHandler:
    """Return the handler of one verb."""

    async def post_verb(request: web.Request) -> web.StreamResponse:
        services = request.app[SERVICES]
        before = await _find(request)
        change = decide(name, before)
        if change.to is None:
            return json_response(views.task(before))
        task = await services.tasks.move(before.id, change.to, **change.changes)
        if task.state is TaskState.PENDING:
            await services.engine.enqueue(task)
        elif task.state is TaskState.CANCELLED:
            await services.engine.cancel(task)
        return json_response(views.task(task))

    return post_verb


async def stream_task(request: web.Request) -> web.StreamResponse:
    """Send the newest run's history as it grows; ``Last-Event-ID`` resumes."""
    services = request.app[SERVICES]
    task = await _find(request)
    last = request.headers.get("Last-Event-ID", "0")
    seq = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else 0
    async with sse_response(request) as response:
        with contextlib.suppress(ConnectionResetError):
            run_id = await _wait_for_run(services, task)
            if run_id is None:
                return response
            async for event in services.trace.follow(run_id, seq):
                data = {"trace_id": event.run_id, "at": views.moment(event.at), **event.data}
                await response.send(orjson.dumps(data).decode(), event=event.kind, id=str(event.seq))
    return response


async def _wait_for_run(services: Services, task: Task) -> str | None:
    """Return the task's run once it has one; a task that ends without a run has none."""
    while task.trace_id is None and not task.state.final:
        await asyncio.sleep(0.2)
        found = await services.tasks.find(task.id)
        if found is None:
            return None
        task = found
    return task.trace_id


async def _find(request: web.Request) -> Task:
    task = await request.app[SERVICES].tasks.find(path_id(request))
    if task is None:
        raise ProblemError(404, "task_not_found", "There is no task with this id")
    return task


ROUTES = (
    Route("POST", "/v1/tasks", Scope.WRITE, post_task),
    Route("GET", "/v1/tasks", Scope.READ, list_tasks),
    Route("GET", "/v1/tasks/{id}", Scope.READ, get_task),
    Route("GET", "/v1/tasks/{id}/stream", Scope.READ, stream_task),
    Route("POST", "/v1/tasks/{id}/cancel", Scope.WRITE, verb("cancel")),
    Route("POST", "/v1/tasks/{id}/retry", Scope.WRITE, verb("retry")),
    Route("POST", "/v1/tasks/{id}/approve", Scope.REVIEW, verb("approve")),
    Route("POST", "/v1/tasks/{id}/reject", Scope.REVIEW, verb("reject")),
)
