"""Workflows: run the steps of a file, see how far they are, and cancel them."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from aiohttp import web

from ai_ops.core.ports import NewTask
from ai_ops.core.workflows import Catalogue, MadeStep, Problem, parse_workflow, steps_of, values
from ai_ops.flow.workflow import Workflow, WorkflowPlan, WorkflowState, WorkflowStep
from ai_ops.server import views
from ai_ops.server.auth import Route, Scope
from ai_ops.server.bodies import read_model
from ai_ops.server.handlers.tasks import checked_prompt, parts_of
from ai_ops.server.handlers.templates import catalogue_of
from ai_ops.server.headers import idempotency_key
from ai_ops.server.lookup import whole_id
from ai_ops.server.paging import PAGE_NAMES, choices, flag, page
from ai_ops.server.problems import ProblemError, invalid, json_response
from ai_ops.server.schemas import WorkflowBody
from ai_ops.server.services import SERVICES, Services

_MOST_PROMPTS = 1_000_000


async def post_workflow(request: web.Request) -> web.StreamResponse:
    """Run a workflow, or with ``dry_run`` say what its steps would do, in their order."""
    services = request.app[SERVICES]
    key = idempotency_key(request)
    body = await read_model(request, WorkflowBody)
    templates = await catalogue_of(services)
    plan, made = await asyncio.to_thread(_made, body, templates, services)
    if flag(request, "dry_run"):
        return json_response({"name": plan.name, "steps": [_planned(*each, services) for each in made]})
    now = services.clock.now()
    wanted = Workflow(
        id=str(uuid.uuid4()),
        name=plan.name,
        steps=tuple(_step(step, new) for step, new in made),
        created_at=now,
        updated_at=now,
    )
    workflow, created = await services.workflows.begin(wanted, key)
    return json_response(
        await _shown(workflow, services),
        status=201 if created else 200,
        headers={"Location": f"/v1/workflows/{workflow.id}"},
    )


async def list_workflows(request: web.Request) -> web.StreamResponse:
    """Answer workflows, newest first."""
    limit, cursor = page(request)
    services = request.app[SERVICES]
    states = choices(request, "state", [each.value for each in WorkflowState])
    found = await services.workflows.workflows.list(states=states, limit=limit, cursor=cursor)
    items = [views.workflow(each) for each in found.items]
    return json_response({"items": items, "next_cursor": found.next_cursor})


async def get_workflow(request: web.Request) -> web.StreamResponse:
    """Answer a workflow with its steps, and how the task of each stands."""
    return json_response(await _shown(await _find(request), request.app[SERVICES]))


async def cancel_workflow(request: web.Request) -> web.StreamResponse:
    """Cancel what waits and what works of a workflow."""
    services = request.app[SERVICES]
    workflow = await _find(request)
    return json_response(await _shown(await services.workflows.cancel(workflow.id), services))


def _made(
    body: WorkflowBody, templates: Catalogue, services: Services
) -> tuple[WorkflowPlan, list[tuple[MadeStep, NewTask]]]:
    """Return a workflow and the task of each step, or refuse it with the lines that are wrong."""
    plan, problems = parse_workflow(body.definition)
    if plan is None:
        raise _refused(problems)
    found, wrong = values(plan.parameters, body.parameters)
    if wrong:
        raise invalid(*((f"parameters.{name}", why) for name, why in wrong))
    steps, problems = steps_of(plan, found, templates.templates)
    if problems:
        raise _refused(problems)
    if sum(len(step.body.get("prompt", "")) for step in steps) > _MOST_PROMPTS:
        raise invalid(("definition", f"its prompts are longer than {_MOST_PROMPTS:,} characters together"))
    return plan, [
        (
            step,
            checked_prompt(
                _named(plan, step), services, None, place=f"line {step.planned.line}: {step.planned.id}"
            ),
        )
        for step in steps
    ]


def _named(plan: WorkflowPlan, step: MadeStep) -> dict[str, Any]:
    """Return the body of a step's task, which has a name for people, whether its file gives one or not."""
    return {**step.body, "name": step.body.get("name") or f"{plan.name}: {step.planned.id}"}


def _refused(problems: tuple[Problem, ...]) -> ProblemError:
    return invalid(
        *((f"line {each.line}", f"{each.place}: {each.why}" if each.place else each.why) for each in problems)
    )


def _step(made: MadeStep, new: NewTask) -> WorkflowStep:
    planned = made.planned
    return WorkflowStep(planned.id, parts_of(new), planned.needs, planned.on_failed_need, made.answers)


def _planned(made: MadeStep, new: NewTask, services: Services) -> dict[str, Any]:
    planned = made.planned
    return {
        "id": planned.id,
        "needs": list(planned.needs),
        "on_failed_need": planned.on_failed_need,
        "answers": list(made.answers),
        "prompt": new.payload["prompt"],
        "repo_url": new.repository.url if new.repository else "",
        "priority": new.priority,
        **services.planning.shown(new.payload),
    }


async def _shown(workflow: Workflow, services: Services) -> dict[str, Any]:
    tasks = [await services.tasks.find(step.task_id) for step in workflow.steps if step.task_id]
    return views.workflow(workflow, {task.id: task.state for task in tasks if task is not None})


async def _find(request: web.Request) -> Workflow:
    services = request.app[SERVICES]
    found = await services.workflows.workflows.find(await whole_id(request, "workflow"))
    if found is None:
        raise ProblemError(404, "workflow_not_found", "There is no workflow with this id")
    return found


ROUTES = (
    Route("GET", "/v1/workflows", Scope.READ, list_workflows, query=(*PAGE_NAMES, "state")),
    Route("POST", "/v1/workflows", Scope.WRITE, post_workflow, query=("dry_run",)),
    Route("GET", "/v1/workflows/{id}", Scope.READ, get_workflow),
    Route("POST", "/v1/workflows/{id}/cancel", Scope.WRITE, cancel_workflow),
)
