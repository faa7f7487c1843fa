"""Security: scan a text, report what was found, read and verify the audit log, let a held command go on."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from ai_ops.core.failures import failed
from ai_ops.core.scanning import scan
from ai_ops.core.verbs import Change, decide
from ai_ops.flow.judgement import AuditEntry, Decision, Finding, Severity
from ai_ops.flow.task import Task, TaskState
from ai_ops.server.auditing import who
from ai_ops.server.auth import Route, Scope
from ai_ops.server.bodies import read_model
from ai_ops.server.handlers.tasks import answer_task, find_task
from ai_ops.server.paging import choices, flag, page
from ai_ops.server.problems import invalid, json_response
from ai_ops.server.schemas import ScanBody, UnblockBody
from ai_ops.server.services import SERVICES

_MOST_DAYS = 3650


async def post_scan(request: web.Request) -> web.StreamResponse:
    """Answer what is sensitive or dangerous in a text. Nothing of it is kept."""
    services = request.app[SERVICES]
    body = await read_model(request, ScanBody)
    found = await asyncio.to_thread(scan, body.text, services.redactor)
    return json_response(
        {"findings": [{"line": each.line, "kind": each.kind, "text": each.text} for each in found]}
    )


async def get_report(request: web.Request) -> web.StreamResponse:
    """Answer the findings of the last days, with their numbers by severity, decision and rule."""
    services = request.app[SERVICES]
    limit, _ = page(request)
    found = await services.guarding.findings.since(
        _since(request),
        severities=[Severity(each) for each in choices(request, "severity", [s.value for s in Severity])],
        decisions=[Decision(each) for each in choices(request, "decision", [d.value for d in Decision])],
        limit=limit,
    )
    return json_response(
        {
            "days": _days(request),
            "counts": {
                name: dict(Counter(str(getattr(each, name)) for each in found))
                for name in ("severity", "decision", "rule")
            },
            "items": [_finding(each) for each in found],
        }
    )


async def get_audit(request: web.Request) -> web.StreamResponse:
    """Answer the lines of the last days, newest first; with ``verify=true`` whether all are untouched."""
    services = request.app[SERVICES]
    limit, _ = page(request)
    lines = await services.guarding.audit.since(_since(request), limit=limit)
    answer: dict[str, Any] = {"days": _days(request), "items": [_line(each) for each in lines]}
    if flag(request, "verify"):
        count, faults = await services.guarding.audit.verify()
        told = [{"seq": fault.seq, "reason": fault.words} for fault in faults[:200]]
        answer["verified"] = {"lines": count, "intact": not faults, "faults": told}
    return json_response(answer)


async def post_unblock(request: web.Request) -> web.StreamResponse:
    """Let exactly the commands that a task was held for go on, in a new run of it."""
    services = request.app[SERVICES]
    body = await read_model(request, UnblockBody)
    task = await find_task(request)
    _retry_held(task)
    await services.guarding.unblock(task.id, who(request), body.role, body.reason)
    async with services.workflows.going_on(task):
        begun, _ = await services.tasks.act(task.id, _retry_held)  # somebody may have decided meanwhile
        await services.enqueue(begun)
    return await answer_task(services, begun)


def _retry_held(task: Task) -> Change:
    if task.state not in (TaskState.NEEDS_HUMAN_REVIEW, TaskState.FAILED):
        raise failed("illegal_transition", f"a task that is {task.state} is held by nothing")
    return decide("retry", task)


def _since(request: web.Request) -> datetime:
    return request.app[SERVICES].clock.now() - timedelta(days=_days(request))


def _days(request: web.Request) -> float:
    text = request.query.get("days", "30")
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 < days <= _MOST_DAYS:
        raise invalid(("days", f"must be a number above 0 and at most {_MOST_DAYS}"))
    return days


def _finding(found: Finding) -> dict[str, Any]:
    return {
        "finding_id": found.id,
        "at": found.at,
        "rule": found.rule,
        "severity": found.severity,
        "decision": found.decision,
        "place": found.place,
        "text": found.text,
        "task_id": found.task_id or None,
        "trace_id": found.run_id or None,
        "unblocked_by": found.unblocked_by or None,
        "reason": found.reason,
    }


def _line(entry: AuditEntry) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "at": entry.at,
        "who": entry.who,
        "verb": entry.verb,
        "subject": entry.subject,
        "detail": entry.detail,
        "hash": entry.hash,
    }


ROUTES = (
    Route("POST", "/v1/security/scan", Scope.READ, post_scan),
    Route(
        "GET", "/v1/security/report", Scope.READ, get_report, query=("limit", "days", "severity", "decision")
    ),
    Route("GET", "/v1/security/audit", Scope.READ, get_audit, query=("limit", "days", "verify")),
    Route("POST", "/v1/security/tasks/{id}/unblock", Scope.REVIEW, post_unblock),
)
