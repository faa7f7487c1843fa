"""Issues: what goes wrong, how often, what was made of it, and what people decide about it."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from ai_ops.core.explaining import why_no_pull_request
from ai_ops.core.issue_verbs import VERBS
from ai_ops.core.ports import NewTask, TaskFilter
from ai_ops.flow.issue import Issue, IssueState
from ai_ops.flow.pull_request import PullRequest
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import Priority, Task, TaskKind
from ai_ops.server import views
from ai_ops.server.auth import RequestHandler, Route, Scope
from ai_ops.server.bodies import read_model
from ai_ops.server.handlers.tasks import create_task
from ai_ops.server.lookup import whole_id
from ai_ops.server.paging import PAGE_NAMES, choices, page
from ai_ops.server.problems import ProblemError, json_response
from ai_ops.server.schemas import MergeBody, SplitBody
from ai_ops.server.services import SERVICES, Services


async def list_issues(request: web.Request) -> web.StreamResponse:
    """Answer issues, newest first."""
    limit, cursor = page(request)
    states = [IssueState(each) for each in choices(request, "state", [s.value for s in IssueState])]
    found = await request.app[SERVICES].issues.list(states=states, limit=limit, cursor=cursor)
    return json_response({"items": [views.issue(i) for i in found.items], "next_cursor": found.next_cursor})


async def get_issue(request: web.Request) -> web.StreamResponse:
    """Answer one issue, with its fingerprints, what was decided about it, and whether its fixes hold."""
    issue = await _find(request)
    issues = request.app[SERVICES].issues
    decisions = [views.decision(decision) for decision in await issues.decisions(issue.id)]
    fingerprints = await issues.fingerprints(issue.id)
    services = request.app[SERVICES]
    repair, pull_request = await _proposed(services, issue)
    watches = await services.fix_watches.of_issue(issue.id)
    more = {
        "fingerprints": fingerprints,
        "decisions": decisions,
        "pull_request": pull_request and views.pull_request_of_issue(pull_request, services.public_url),
        "no_pull_request_reason": why_no_pull_request(issue, repair, pull_request),
        "fix_watches": [views.fix_watch(watch, services.public_url) for watch in watches],
    }
    return json_response(views.issue(issue) | more)


async def _proposed(services: Services, issue: Issue) -> tuple[Task | None, PullRequest | None]:
    """Return the repair of the issue's present episode, and its pull request."""
    wanted = TaskFilter(kinds=(TaskKind.REPAIR,), issue_id=issue.id)
    tasks = (await services.tasks.list(wanted, limit=1)).items
    repair = next((task for task in tasks if task.episode == issue.episode), None)
    found = None
    if repair is not None and repair.pull_request_id:
        found = await services.pull_requests.find(repair.pull_request_id)
    return repair, found


def verb(name: str) -> RequestHandler:
    """Return the handler of a verb that changes an issue's state."""

    async def post_verb(request: web.Request) -> web.StreamResponse:
        issue = await _find(request)
        changed = await request.app[SERVICES].issues.decide(issue.id, name, _who(request))
        return json_response(views.issue(changed))

    return post_verb


async def post_merge(request: web.Request) -> web.StreamResponse:
    """Merge this issue into another, and answer that one."""
    issue = await _find(request)
    services = request.app[SERVICES]
    body = await read_model(request, MergeBody)
    into = await whole_id(request, "issue", body.into)
    merged = await services.issues.merge(issue.id, into, _who(request))
    for task in merged.withdrawn:
        await services.engine.cancel(task)
    for task in merged.tasks:
        await services.enqueue(task)
    return json_response(views.issue(merged.issue))


async def post_split(request: web.Request) -> web.StreamResponse:
    """Take a fingerprint out of this issue, and answer the issue that it has from now on."""
    issue = await _find(request)
    body = await read_model(request, SplitBody)
    off = await request.app[SERVICES].issues.split(issue.id, body.fingerprint, _who(request))
    return json_response(views.issue(off))


async def post_repair(request: web.Request) -> web.StreamResponse:
    """Ask for a repair of the issue's newest error, or answer the task that already stands for it."""
    issue = await _find(request)
    services = request.app[SERVICES]
    repository = Repository(issue.repo_key, issue.repo_url, issue.code_host)
    # The newest event may have come by a fingerprint that has left the issue meanwhile.
    error = replace(issue.sample.error, fingerprint=issue.fingerprint, earlier_fingerprints=())
    event = replace(issue.sample, error=error)
    new = NewTask(TaskKind.REPAIR, repository, Priority.NORMAL, {}, event=event, issue_id=issue.id)
    return await create_task(services, new)


async def _find(request: web.Request) -> Issue:
    issue = await request.app[SERVICES].issues.find(await whole_id(request, "issue"))
    if issue is None:
        raise ProblemError(404, "issue_not_found", "There is no issue with this id")
    return issue


def _who(request: web.Request) -> str:
    """Return who decides, as far as the server knows: keys have no owners yet, but an address."""
    key = "server key" if request.headers.get("X-API-Key") else "no key"
    return f"{key}, from {request.remote or 'somewhere'}"


ROUTES = (
    Route("GET", "/v1/issues", Scope.READ, list_issues, query=(*PAGE_NAMES, "state")),
    Route("GET", "/v1/issues/{id}", Scope.READ, get_issue),
    Route("POST", "/v1/issues/{id}/repair", Scope.WRITE, post_repair),
    *(Route("POST", f"/v1/issues/{{id}}/{name}", Scope.WRITE, verb(name)) for name in VERBS),
    Route("POST", "/v1/issues/{id}/merge", Scope.WRITE, post_merge),
    Route("POST", "/v1/issues/{id}/split", Scope.WRITE, post_split),
)
