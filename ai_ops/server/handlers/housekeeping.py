"""How the installation is, its alerts, and cleaning it up."""

from __future__ import annotations

from collections import Counter
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

import ai_ops
from ai_ops.flow.alert import Alert, AlertState
from ai_ops.flow.health import HealthCheck
from ai_ops.server.auth import Route, Scope
from ai_ops.server.bodies import read_model
from ai_ops.server.lookup import whole_id
from ai_ops.server.paging import PAGE_NAMES, choices, page
from ai_ops.server.problems import ProblemError, json_response
from ai_ops.server.services import SERVICES
from ai_ops.server.views import moment

_TOLD = (AlertState.OPEN, AlertState.RESOLVED)


class CleanupBody(BaseModel):
    """``POST /v1/system/cleanup``: what is older than so many days goes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    days: int = Field(ge=1, le=3650)


async def get_system(request: web.Request) -> web.StreamResponse:
    """Answer what the last check of health found, the open alerts, and what is stored, counted."""
    oversight = request.app[SERVICES].oversight
    checks = oversight.health.last or await oversight.health.look()
    checked_at = moment(oversight.health.last_at)
    stored = await oversight.figures.read()
    tasks, told = Counter[str](), Counter[str]()
    for (_, state), number in stored.tasks.items():
        tasks[state] += number
    for (_, state), number in stored.notifications.items():
        told[state] += number
    return json_response(
        {
            "version": ai_ops.__version__,
            "checks": [_check(each) for each in checks],
            "checked_at": checked_at,
            "alerts": [_alert(each) for each in oversight.health.open_alerts()],
            "tasks": dict(tasks),
            "issues": dict(stored.issues),
            "pull_requests": dict(stored.pull_requests),
            "notifications": dict(told),
            "pending_since": moment(stored.pending_since),
        }
    )


async def post_cleanup(request: web.Request) -> web.StreamResponse:
    """Remove what is older than so many days, and answer what went."""
    body = await read_model(request, CleanupBody)
    done = await request.app[SERVICES].oversight.cleaning.clean(body.days)
    return json_response(
        {"removed": dict(done.removed), "free_before": done.free_before, "free_after": done.free_after}
    )


async def list_alerts(request: web.Request) -> web.StreamResponse:
    """Answer alerts, newest first."""
    limit, cursor = page(request)
    states = [AlertState(each) for each in choices(request, "state", [state.value for state in _TOLD])]
    found = await request.app[SERVICES].oversight.alerts.list(states=states, limit=limit, cursor=cursor)
    return json_response({"items": [_alert(each) for each in found.items], "next_cursor": found.next_cursor})


async def get_alert(request: web.Request) -> web.StreamResponse:
    """Answer one alert."""
    found = await request.app[SERVICES].oversight.alerts.find(await whole_id(request, "alert"))
    if found is None:
        raise ProblemError(404, "alert_not_found", "There is no alert with this id")
    return json_response(_alert(found))


def _check(check: HealthCheck) -> dict[str, Any]:
    severity = check.severity.value if check.severity else None
    return {"name": check.name, "severity": severity, "text": check.text, "next_step": check.next_step}


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "alert_id": alert.id,
        "key": alert.key,
        "severity": alert.severity.value,
        "state": alert.state.value,
        "text": alert.text,
        "next_step": alert.next_step,
        "repair": alert.repair,
        "seen": alert.seen,
        "first_at": moment(alert.first_at),
        "last_at": moment(alert.last_at),
        "changed_at": moment(alert.changed_at),
        "resolved_at": moment(alert.resolved_at),
    }


ROUTES = (
    Route("GET", "/v1/system", Scope.READ, get_system),
    Route("POST", "/v1/system/cleanup", Scope.WRITE, post_cleanup),
    Route("GET", "/v1/alerts", Scope.READ, list_alerts, query=(*PAGE_NAMES, "state")),
    Route("GET", "/v1/alerts/{id}", Scope.READ, get_alert),
)
