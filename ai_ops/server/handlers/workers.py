"""Workers: who works on what, what that uses, and replacing one."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from ai_ops.flow.worker import RecordedLoss, WorkerStatus
from ai_ops.server.auth import Route, Scope
from ai_ops.server.problems import ProblemError, json_response
from ai_ops.server.services import SERVICES
from ai_ops.server.views import moment


async def list_workers(request: web.Request) -> web.StreamResponse:
    """Answer all workers, by number."""
    found = request.app[SERVICES].oversight.supervisor.statuses()
    return json_response({"items": [_worker(each) for each in found]})


async def get_worker(request: web.Request) -> web.StreamResponse:
    """Answer one worker with its limits and the runs that were taken from it."""
    supervisor, number = request.app[SERVICES].oversight.supervisor, _number(request)
    found = next((each for each in supervisor.statuses() if each.number == number), None)
    if found is None:
        raise _not_found(number)
    rules = supervisor.rules
    limits = {
        "memory_bytes": rules.memory_bytes,
        "silent_seconds": rules.silent_seconds,
        "most_losses": rules.most_losses,
    }
    losses = [_loss(each) for each in await supervisor.recent_losses(number)]
    return json_response({**_worker(found), "limits": limits, "losses": losses})


async def restart_worker(request: web.Request) -> web.StreamResponse:
    """Replace a worker; its run goes on with another."""
    return json_response(_worker(await request.app[SERVICES].oversight.supervisor.restart(_number(request))))


def _number(request: web.Request) -> int:
    text = request.match_info["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise ProblemError(404, "worker_not_found", "Workers are named by their number")
    return int(text)


def _not_found(number: int) -> ProblemError:
    return ProblemError(404, "worker_not_found", f"There is no worker {number}")


def _worker(status: WorkerStatus) -> dict[str, Any]:
    loss = status.last_loss
    return {
        "number": status.number,
        "state": status.state.value,
        "task_id": status.task_id or None,
        "run_id": status.run_id or None,
        "kind": status.kind or None,
        "step": status.step or None,
        "since": moment(status.since),
        "heartbeat_seconds": round(status.heartbeat_seconds, 1),
        "memory_bytes": status.memory_bytes,
        "cpu_percent": round(status.cpu_percent, 1),
        "processes": status.processes,
        "replaced": status.replaced,
        "last_loss": {"reason": loss.reason.value, "detail": loss.detail} if loss else None,
    }


def _loss(kept: RecordedLoss) -> dict[str, Any]:
    return {
        "at": moment(kept.at),
        "reason": kept.loss.reason.value,
        "detail": kept.loss.detail,
        "task_id": kept.task_id,
        "run_id": kept.run_id,
    }


ROUTES = (
    Route("GET", "/v1/workers", Scope.READ, list_workers),
    Route("GET", "/v1/workers/{id}", Scope.READ, get_worker),
    Route("POST", "/v1/workers/{id}/restart", Scope.WRITE, restart_worker),
)
