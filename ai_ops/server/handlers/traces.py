"""Traces: every step of a run, and the artifacts kept with it."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from ai_ops.core.bug_cases import closest
from ai_ops.core.similarity import likeness
from ai_ops.flow.run import Run
from ai_ops.server import views
from ai_ops.server.auth import Route, Scope
from ai_ops.server.lookup import whole_id
from ai_ops.server.paging import PAGE_NAMES, page, path_id
from ai_ops.server.problems import ProblemError, json_response
from ai_ops.server.services import SERVICES, Services


async def list_traces(request: web.Request) -> web.StreamResponse:
    """Answer runs, newest first."""
    limit, cursor = page(request)
    items, next_cursor = await request.app[SERVICES].trace.runs(limit=limit, cursor=cursor)
    return json_response({"items": [views.run(r) for r in items], "next_cursor": next_cursor})


async def get_trace(request: web.Request) -> web.StreamResponse:
    """Answer a run with its steps, the names of its artifacts, and the closest bug of the past."""
    trace = request.app[SERVICES].trace
    run = await _find(request)
    steps = await trace.steps(run.id)
    artifacts = await trace.artifacts(run.id)
    return json_response(
        views.run(run)
        | {
            "steps": [views.step(s) for s in steps],
            "artifacts": [views.artifact(a) for a in artifacts],
            "closest_bug_case": await _closest(request.app[SERVICES], run),
        }
    )


async def _closest(services: Services, run: Run) -> dict[str, Any] | None:
    """Return the bug of the past that is most like the one a run worked on, if any is like it at all."""
    task = await services.tasks.find(run.task_id)
    issue = await services.issues.find(task.issue_id) if task and task.issue_id else None
    if task is None or issue is None:
        return None
    found = await closest(
        services.bug_cases,
        likeness(issue.sample.error),
        issue.repo_key,
        services.bug_case_reach,
        but=(issue.id, task.episode),
    )
    return views.match(found.shown[0]) if found.shown else None


async def list_artifacts(request: web.Request) -> web.StreamResponse:
    """Answer the names of a run's artifacts."""
    run = await _find(request)
    artifacts = await request.app[SERVICES].trace.artifacts(run.id)
    return json_response({"items": [views.artifact(a) for a in artifacts]})


async def get_artifact(request: web.Request) -> web.StreamResponse:
    """Answer an artifact as text. It came from outside: it is never a page of ours."""
    run_id, trace = await whole_id(request, "trace"), request.app[SERVICES].trace
    found = await trace.artifact(run_id, path_id(request, "name"))
    if found is None:
        names = ", ".join(artifact.name for artifact in await trace.artifacts(run_id))
        there = f"the trace has {names}" if names else "the trace has none, or is not there"
        raise ProblemError(404, "artifact_not_found", f"There is no such artifact; {there}")
    return web.Response(
        text=found.text,
        content_type="text/plain",
        charset="utf-8",
        headers={
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "X-Artifact-Media-Type": found.media_type,
        },
    )


async def _find(request: web.Request) -> Run:
    run = await request.app[SERVICES].trace.find_run(await whole_id(request, "trace"))
    if run is None:
        raise ProblemError(404, "trace_not_found", "There is no trace with this id")
    return run


ROUTES = (
    Route("GET", "/v1/traces", Scope.READ, list_traces, query=PAGE_NAMES),
    Route("GET", "/v1/traces/{id}", Scope.READ, get_trace),
    Route("GET", "/v1/traces/{id}/artifacts", Scope.READ, list_artifacts),
    Route("GET", "/v1/traces/{id}/artifacts/{name}", Scope.READ, get_artifact),
)
