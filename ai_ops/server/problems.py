"""Errors on the wire: RFC 9457 problems, one shape for every failure, never a 500 for bad input."""

from __future__ import annotations

import logging
import math
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import ValidationError

from ai_ops.errors import AiOpsError, TemporaryError

log = logging.getLogger(__name__)

_STATUS_OF_CODE = {
    "invalid_cursor": 422,
    "invalid_repo_url": 422,
    "repo_not_allowed": 422,
    "unknown_code_host": 422,
    "code_host_mismatch": 422,
    "folder_not_allowed": 422,
    "policy_violated": 403,
    "command_blocked": 403,
    "role_too_low": 403,
    "nothing_to_unblock": 409,
    "task_not_found": 404,
    "worker_not_found": 404,
    "workflow_not_found": 404,
    "too_many_workflows": 409,
    "schedule_not_found": 404,
    "too_many_schedules": 409,
    "issue_not_found": 404,
    "trace_not_found": 404,
    "artifact_not_found": 404,
    "pull_request_not_found": 404,
    "illegal_transition": 409,
    "issue_merged": 409,
    "cannot_merge": 409,
    "cannot_split": 409,
    "merge_on_host": 409,
    "notification_not_failed": 409,
    "notification_not_found": 404,
    "merge_conflict": 409,
    "branch_moved": 409,
    "pull_request_not_open": 409,
    "node_rate_exceeded": 429,
    "queue_full": 429,
    "storage_unavailable": 503,
    "storage_failed": 503,
}
_FIELD_OF_CODE = {
    "invalid_cursor": "cursor",
    "invalid_repo_url": "repo_url",
    "repo_not_allowed": "repo_url",
    "unknown_code_host": "code_host",
    "code_host_mismatch": "code_host",
    "folder_not_allowed": "folder",
}
_MAX_ERRORS = 50
_MAX_FIELD = 200
_DEFAULT_DELAY_SECONDS = 5.0
REQUEST_ID = web.RequestKey("request_id", str)
_TITLES = {
    400: "Malformed request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    408: "Too slow",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    422: "Invalid",
    429: "Too many requests",
    500: "Internal error",
    503: "Temporarily unavailable",
}


class ProblemError(Exception):
    """A failure that is answered as a problem. ``errors`` holds ``{"field", "reason"}`` entries."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


def json_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Answer JSON."""
    return web.Response(
        body=orjson.dumps(body), status=status, headers=headers, content_type="application/json"
    )


def invalid(*errors: tuple[str, str]) -> ProblemError:
    """Return the problem of bad fields, given as (field path, reason)."""
    field, reason = errors[0]
    named = [{"field": field, "reason": reason} for field, reason in errors[:_MAX_ERRORS]]
    return ProblemError(422, "invalid_request", f"{field}: {reason}", errors=named)


def from_failure(failure: AiOpsError, otherwise: int = 500) -> ProblemError:
    """Return the problem of a named failure. Only what is known to be the request's fault is a 4xx.

    An agent keeps its events on a 5xx and gives them up on a 4xx.
    """
    temporary = isinstance(failure, TemporaryError)
    status = _STATUS_OF_CODE.get(failure.code, 503 if temporary else otherwise)
    headers = {}
    if status in (429, 503):
        delay = failure.delay if isinstance(failure, TemporaryError) else None
        headers["Retry-After"] = str(max(1, math.ceil(delay or _DEFAULT_DELAY_SECONDS)))
    field = _FIELD_OF_CODE.get(failure.code)
    errors = [{"field": field, "reason": failure.message}] if field else []
    detail = f"{failure.message.rstrip('.')}. {failure.next_step}" if failure.next_step else failure.message
    return ProblemError(status, failure.code, detail, errors=errors, headers=headers)


def from_validation(error: ValidationError, *, place: str = "") -> ProblemError:
    """Return the problem of a body that does not fit its schema, with each field's path."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return invalid(
        *(
            (
                ".".join(str(part) for part in (*([place] if place else []), *detail["loc"]))[:_MAX_FIELD]
                or "body",
                _of_a_type(detail) or detail["msg"].removeprefix("Value error, "),
            )
            for detail in found[:_MAX_ERRORS]
        )
    )


def _of_a_type(detail: Mapping[str, Any]) -> str:
    """Return the reason where the library's own names our class."""
    return "must be an object" if detail["type"] in ("model_type", "model_attributes_type") else ""


def answer(problem: ProblemError, request_id: str) -> web.Response:
    """Answer a problem."""
    body = {
        "type": f"urn:ai-ops:problem:{problem.code}",
        "title": _TITLES.get(problem.status, "Failed"),
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "errors": problem.errors,
        "request_id": request_id,
    }
    return web.Response(
        body=orjson.dumps(body),
        status=problem.status,
        headers=problem.headers,
        content_type="application/problem+json",
    )


def _of_http(error: web.HTTPException) -> ProblemError:
    code = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}.get(error.status, "http_error")
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    return ProblemError(error.status, code, error.reason, headers=headers)


@web.middleware
async def problem_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give each request an id and turn every failure into a problem."""
    request_id = request[REQUEST_ID] = uuid.uuid4().hex
    try:
        return await handler(request)
    except ProblemError as problem:
        return answer(problem, request_id)
    except AiOpsError as failure:
        known = from_failure(failure)
        if known.status >= 500:
            log.error("request %s failed: %s", request_id, failure)
        return answer(known, request_id)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return answer(_of_http(error), request_id)
    except Exception:  # the edge: whatever it was, the client gets a stable answer
        log.exception("unexpected failure, request %s", request_id)
        words = "Unexpected failure; the server's log has the details"
        return answer(ProblemError(500, "internal_error", words), request_id)
