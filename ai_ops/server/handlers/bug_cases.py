"""The bug library: closed issues with what was done about them, and what a search for an error finds."""

from __future__ import annotations

import asyncio
import re

from aiohttp import web

from ai_ops.core.bug_cases import closest
from ai_ops.core.ports import BugCaseFilter
from ai_ops.core.similarity import likeness
from ai_ops.flow.bug_case import BugCaseOutcome, Likeness
from ai_ops.server import views
from ai_ops.server.auth import Route, Scope
from ai_ops.server.bodies import read_model
from ai_ops.server.lookup import whole_id
from ai_ops.server.paging import PAGE_NAMES, choices, page, query_text
from ai_ops.server.problems import ProblemError, invalid, json_response
from ai_ops.server.schemas import RetrievalBody
from ai_ops.server.services import SERVICES, Services

_FINGERPRINT = re.compile(r"[0-9a-f]{6,128}")


async def list_bug_cases(request: web.Request) -> web.StreamResponse:
    """Answer cases, newest first, without their diffs and excerpts."""
    limit, cursor = page(request)
    fingerprint = query_text(request, "fingerprint")
    if fingerprint and not _FINGERPRINT.fullmatch(fingerprint):
        raise invalid(("fingerprint", "must be at least its first six characters, of 0-9 and a-f"))
    wanted = BugCaseFilter(
        repo_key=query_text(request, "repo_key"),
        exception_type=query_text(request, "exception_type"),
        fingerprint=fingerprint,
        outcomes=tuple(
            BugCaseOutcome(one) for one in choices(request, "outcome", [o.value for o in BugCaseOutcome])
        ),
    )
    services = request.app[SERVICES]
    found = await services.bug_cases.list(wanted, limit=limit, cursor=cursor)
    items = [views.bug_case(case, services.public_url) for case in found.items]
    return json_response({"items": items, "next_cursor": found.next_cursor})


async def get_bug_case(request: web.Request) -> web.StreamResponse:
    """Answer one case with its error, proof and diff."""
    services = request.app[SERVICES]
    case = await services.bug_cases.find(await whole_id(request, "bug_case"))
    if case is None:
        raise ProblemError(404, "bug_case_not_found", "There is no bug case with this id")
    return json_response(views.whole_bug_case(case, services.public_url))


async def post_retrieval(request: web.Request) -> web.StreamResponse:
    """Answer what a repair of an error would be told of the past and what not, each with its score."""
    services = request.app[SERVICES]
    body = await read_model(request, RetrievalBody)
    if misfits := body.misfits():
        raise invalid(*misfits)
    wanted, repo_key = await _wanted(request, services, body)
    found = await closest(services.bug_cases, wanted, repo_key, services.bug_case_reach, limit=body.limit)
    return json_response(views.retrieval(found, wanted, repo_key, services.bug_case_reach))


async def _wanted(request: web.Request, services: Services, body: RetrievalBody) -> tuple[Likeness, str]:
    if body.issue_id is not None:
        issue = await services.issues.find(await whole_id(request, "issue", body.issue_id))
        if issue is None:
            raise ProblemError(404, "issue_not_found", "There is no issue with this id")
        return likeness(issue.sample.error), issue.repo_key
    repository = services.repository(body.repo_url or "", body.code_host)
    described = await asyncio.to_thread(services.descriptions.describe, body.error_content or "")
    return likeness(described.error), repository.key


ROUTES = (
    Route(
        "GET",
        "/v1/bug-cases",
        Scope.READ,
        list_bug_cases,
        query=(*PAGE_NAMES, "fingerprint", "repo_key", "exception_type", "outcome"),
    ),
    Route("GET", "/v1/bug-cases/{id}", Scope.READ, get_bug_case),
    Route("POST", "/v1/debug/retrieval", Scope.READ, post_retrieval),
)
