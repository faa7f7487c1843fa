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
    "task_not_found": 404,
    "issue_not_found": 404,
    "trace_not_found": 404,
    "artifact_not_found": 404,
    "pull_request_not_found": 404,
    "illegal_transition": 409,
    "merge_on_host": 409,
    "merge_conflict": 409,
    "pull_request_not_open": 409,
    "storage_unavailable": 503,
}
_TITLES = {
    400: "Malformed request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
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


def from_failure(failure: AiOpsError) -> ProblemError:
    """Return the problem of a named failure; what is not known otherwise is the request's fault."""
    status = _STATUS_OF_CODE.get(failure.code, 503 if isinstance(failure, TemporaryError) else 422)
    headers = {}
    if status == 503:
        delay = failure.delay if isinstance(failure, TemporaryError) and failure.delay else 5
        headers["Retry-After"] = str(math.ceil(delay))
    detail = f"{failure.message}. {failure.next_step}" if failure.next_step else failure.message
    return ProblemError(status, failure.code, detail, headers=headers)


def from_validation(error: ValidationError) -> ProblemError:
    """Return the problem of a body that does not fit its schema, with the path of each field."""
    errors = [
        {"field": ".".join(str(part) for part in detail["loc"]) or "body", "reason": detail["msg"]}
        for detail in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    first = errors[0]
    return ProblemError(422, "invalid_request", f"{first['field']}: {first['reason']}", errors=errors)


def _answer(problem: ProblemError, request_id: str) -> web.Response:
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
    request_id = uuid.uuid4().hex
    try:
        response = await handler(request)
    except ProblemError as problem:
        response = _answer(problem, request_id)
    except AiOpsError as failure:
        response = _answer(from_failure(failure), request_id)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        response = _answer(_of_http(error), request_id)
    except Exception:  # the edge: whatever it was, the client gets a stable answer
        log.exception("unexpected failure, request %s", request_id)
        response = _answer(
            ProblemError(500, "internal_error", "Unexpected failure; the server's log has the details"),
            request_id,
        )
    if not response.prepared:
        response.headers["X-Request-ID"] = request_id
    return response
