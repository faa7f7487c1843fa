"""Templates: which this server has, and the task that one makes."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from ai_ops.core.workflows import Catalogue, catalogue, task_of
from ai_ops.flow.workflow import Template
from ai_ops.server import views
from ai_ops.server.auth import Route, Scope
from ai_ops.server.bodies import read_model
from ai_ops.server.handlers.tasks import admit_prompt, checked_prompt, create_task
from ai_ops.server.headers import idempotency_key
from ai_ops.server.paging import flag, path_id
from ai_ops.server.problems import ProblemError, invalid, json_response
from ai_ops.server.schemas import TemplateUseBody
from ai_ops.server.services import SERVICES, Services


async def catalogue_of(services: Services) -> Catalogue:
    """Return the templates that there are now."""
    return await asyncio.to_thread(lambda: catalogue(services.templates.texts()))


async def list_templates(request: web.Request) -> web.StreamResponse:
    """Answer the templates by name, and the files that hold none, with why."""
    found = await catalogue_of(request.app[SERVICES])
    items = [views.template(found.templates[name]) for name in sorted(found.templates)]
    broken = [
        {"file": file, "problems": [str(each) for each in problems]}
        for file, problems in found.problems.items()
    ]
    return json_response({"items": items, "broken": broken})


async def get_template(request: web.Request) -> web.StreamResponse:
    """Answer one template with what its task is made of."""
    return json_response(views.template(await _find(request), whole=True))


async def apply_template(request: web.Request) -> web.StreamResponse:
    """Make the task of a template, or with ``dry_run`` say what it would do."""
    services = request.app[SERVICES]
    key = idempotency_key(request)
    template = await _find(request)
    body = await read_model(request, TemplateUseBody)
    made, wrong = task_of(template, body.parameters)
    if wrong:
        raise invalid(*((f"parameters.{name}".rstrip("."), why) for name, why in wrong))
    new = await asyncio.to_thread(checked_prompt, made, services, key, place="task")
    if flag(request, "dry_run"):
        shown: dict[str, Any] = services.planning.shown(new.payload)
        return json_response(shown | {"prompt": new.payload["prompt"]})
    await admit_prompt(new, services)
    return await create_task(services, new)


async def _find(request: web.Request) -> Template:
    services = request.app[SERVICES]
    found = await catalogue_of(services)
    template = found.templates.get(path_id(request))
    if template is None:
        there = ", ".join(sorted(found.templates)) or "none"
        words = f"There is no template of this name in {services.templates.place} (TEMPLATES_DIR)"
        raise ProblemError(404, "template_not_found", f"{words}; there is {there}")
    return template


ROUTES = (
    Route("GET", "/v1/templates", Scope.READ, list_templates),
    Route("GET", "/v1/templates/{id}", Scope.READ, get_template),
    Route("POST", "/v1/templates/{id}/apply", Scope.WRITE, apply_template, query=("dry_run",)),
)
