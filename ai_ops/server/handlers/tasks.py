"""Tasks: create, read, and the verbs of a person."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from ai_ops.core.describe import describe
from ai_ops.core.diagnosis import diagnose
from ai_ops.core.ports import NewTask, TaskFilter
from ai_ops.core.verbs import decide
from ai_ops.flow.event import Event, EventRepo
from ai_ops.flow.judgement import Role
from ai_ops.flow.task import Priority, Task, TaskKind, TaskState
from ai_ops.server import views
from ai_ops.server.auth import RequestHandler, Route, Scope
from ai_ops.server.bodies import read_model
from ai_ops.server.handlers.queue import waits
from ai_ops.server.headers import idempotency_key
from ai_ops.server.lookup import whole_id
from ai_ops.server.paging import PAGE_NAMES, choices, flag, page, query_id
from ai_ops.server.problems import ProblemError, from_validation, invalid, json_response
from ai_ops.server.schemas import NewTaskBody
from ai_ops.server.services import SERVICES, Services


async def post_task(request: web.Request) -> web.StreamResponse:
    """Create a task, or answer the one that already stands for the same wish."""
    services = request.app[SERVICES]
    key = idempotency_key(request)
    body = await read_model(request, NewTaskBody)
    if misfits := body.misfits():
        raise invalid(*misfits)
    # Redaction and parsing of a long text take their time; the loop goes on answering meanwhile.
    new = await asyncio.to_thread(_new_task, body, services, key)
    if flag(request, "dry_run"):
        if new.kind != TaskKind.PROMPT:
            raise invalid(("dry_run", "is for prompt tasks; for errors there is `ai-ops replay`"))
        return json_response(services.planning.shown(new.payload))
    if new.kind is TaskKind.PROMPT:
        await admit_prompt(new, services)
    return await create_task(services, new)


async def create_task(services: Services, new: NewTask) -> web.Response:
    """Create a task and answer it: 201, or 200 with the reason when another stands for the same wish."""
    created = await services.tasks.create(new)
    if created.created:
        await services.enqueue(created.task)
    elif created.task.state is TaskState.PENDING:
        await services.engine.enqueue(created.task)  # its first request may have failed half-way
    (answer,) = await _shown(services, created.task)
    answer |= {"reason": created.reason} if created.reason else {}
    if busy := " ".join(filter(None, (created.busy, await waits(services)))):
        answer["busy"] = busy
    return json_response(
        answer,
        status=201 if created.created else 200,
        headers={"Location": f"/v1/tasks/{created.task.id}"},
    )


def _new_task(body: NewTaskBody, services: Services, key: str | None) -> NewTask:
    return (new_prompt if body.error_content is None else _repair)(body, services, key)


def _repair(body: NewTaskBody, services: Services, key: str | None) -> NewTask:
    repository = services.repository(body.repo_url or "", body.code_host)
    redact = services.redactor.redact
    detail, level = describe(body.error_content or "", redactor=services.redactor)
    event = Event(
        event_id=str(uuid.uuid4()),
        occurred_at=services.clock.now(),
        repo=EventRepo(repository.url, repository.code_host),
        error=detail,
        service=redact(body.service),
        environment=redact(body.environment),
        release=redact(body.release),
        level=level,
    )
    payload: dict[str, Any] = {"requested_by": "person"}
    if body.fix_mode is not None:
        payload["fix_mode"] = body.fix_mode
    if body.budget_usd is not None:
        payload["budget_usd"] = body.budget_usd
    return NewTask(TaskKind.REPAIR, repository, body.priority, payload, event, key)


def new_prompt(body: NewTaskBody, services: Services, key: str | None) -> NewTask:
    """Return the prompt task that a checked body means, without secrets.

    Raises:
        PermanentError: ``folder_not_allowed``, or why its repository may not be worked on.
    """
    repository = services.repository(body.repo_url, body.code_host) if body.repo_url else None
    redact = services.redactor.redact
    payload = {
        "prompt": redact(body.prompt or ""),
        "name": redact(body.name),
        "description": redact(body.description),
        "type": body.type or "heavy_context",
        "allowed_tools": None if body.allowed_tools is None else [redact(t) for t in body.allowed_tools],
        "budget_usd": body.budget_usd,
        "timeout_seconds": body.timeout_seconds,
        "folder": str(services.planning.open(body.folder)) if body.folder else None,
        "pull_request": body.pull_request,
    }
    return NewTask(TaskKind.PROMPT, repository, body.priority, payload, None, key)


def checked_prompt(given: Mapping[str, Any], services: Services, key: str | None, *, place: str) -> NewTask:
    """Return the prompt task that fields mean which a file was made into; ``place`` is where they stand.

    Raises:
        ProblemError: 422 with each field that is wrong.
        PermanentError: as ``new_prompt``.
    """
    try:
        body = NewTaskBody.model_validate(given)
    except ValidationError as error:
        raise from_validation(error, place=place) from None
    misfits = [("prompt", "is needed")] if body.prompt is None else body.misfits()
    if misfits:
        raise invalid(*((f"{place}.{name}", reason) for name, reason in misfits))
    return new_prompt(body, services, key)


def parts_of(new: NewTask) -> dict[str, Any]:
    """Return what a prompt task is made of, as schedules and workflows keep it."""
    return {
        "payload": new.payload,
        "priority": new.priority,
        "repo_url": new.repository.url if new.repository else "",
        "code_host": new.repository.code_host if new.repository else "",
    }


async def admit_prompt(new: NewTask, services: Services) -> None:
    """Ask the guard for a prompt task that a person wants.

    Raises:
        PermanentError: ``policy_violated``, ``command_blocked``.
    """
    key_of = new.repository.key if new.repository else ""
    await services.guarding.admit(new.payload, key_of, Role.ADMIN)


async def get_task(request: web.Request) -> web.StreamResponse:
    """Answer one task."""
    return await answer_task(request.app[SERVICES], await find_task(request))


async def list_tasks(request: web.Request) -> web.StreamResponse:
    """Answer tasks, newest first."""
    limit, cursor = page(request)
    issue = query_id(request, "issue_id")
    wanted = TaskFilter(
        states=choices(request, "state", [s.value for s in TaskState]),
        kinds=choices(request, "kind", [k.value for k in TaskKind]),
        priorities=choices(request, "priority", [p.value for p in Priority]),
        issue_id=None if issue is None else await whole_id(request, "issue", issue),
    )
    services = request.app[SERVICES]
    found = await services.tasks.list(wanted, limit=limit, cursor=cursor)
    items = await _shown(services, *found.items)
    return json_response({"items": items, "next_cursor": found.next_cursor})


def verb(name: str) -> RequestHandler:
    """Return the handler of one verb."""

    async def post_verb(request: web.Request) -> web.StreamResponse:
        services = request.app[SERVICES]
        task = await find_task(request)
        return await answer_task(services, await services.steering.steer(task.id, name))

    return post_verb


async def post_retry(request: web.Request) -> web.StreamResponse:
    """Begin a new run; the workflow that ended with the task goes on with it."""
    services = request.app[SERVICES]
    task = await find_task(request)
    decide("retry", task)  # a word that is refused changes nothing of a workflow
    async with services.workflows.going_on(task):
        task = await services.steering.steer(task.id, "retry")
    return await answer_task(services, task)


async def find_task(request: web.Request) -> Task:
    """Return the task that the path names, or answer 404."""
    task = await request.app[SERVICES].tasks.find(await whole_id(request, "task"))
    if task is None:
        raise ProblemError(404, "task_not_found", "There is no task with this id")
    return task


async def answer_task(services: Services, task: Task) -> web.Response:
    """Answer a task, with its prompt and what its newest run has found so far, whatever state it is in."""
    (shown,) = await _shown(services, task)
    steps = await services.trace.steps(task.trace_id) if task.trace_id else ()
    whole = {"prompt": task.payload.get("prompt"), "diagnosis": views.diagnosis(diagnose(steps))}
    return json_response(shown | whole)


async def _shown(services: Services, *tasks: Task) -> list[dict[str, Any]]:
    """Return tasks as JSON, each with its issue's title and what its pull request is now."""
    titles = await services.issues.titles({t.issue_id for t in tasks if t.issue_id})
    states = await services.pull_requests.states({t.pull_request_id for t in tasks if t.pull_request_id})
    return [
        views.task(
            t, services.public_url, states.get(t.pull_request_id or ""), titles.get(t.issue_id or "", "")
        )
        for t in tasks
    ]


ROUTES = (
    Route("POST", "/v1/tasks", Scope.WRITE, post_task, query=("dry_run",)),
    Route(
        "GET",
        "/v1/tasks",
        Scope.READ,
        list_tasks,
        query=(*PAGE_NAMES, "state", "kind", "priority", "issue_id"),
    ),
    Route("GET", "/v1/tasks/{id}", Scope.READ, get_task),
    Route("POST", "/v1/tasks/{id}/cancel", Scope.WRITE, verb("cancel")),
    Route("POST", "/v1/tasks/{id}/pause", Scope.WRITE, verb("pause")),
    Route("POST", "/v1/tasks/{id}/resume", Scope.WRITE, verb("resume")),
    Route("POST", "/v1/tasks/{id}/retry", Scope.WRITE, post_retry),
    Route("POST", "/v1/tasks/{id}/approve", Scope.REVIEW, verb("approve")),
    Route("POST", "/v1/tasks/{id}/reject", Scope.REVIEW, verb("reject")),
)
