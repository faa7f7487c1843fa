"""``POST /v1/events``: take a batch of an agent; answer only after the durable commit."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from pydantic import ValidationError

from ai_ops.core.describe import describe
from ai_ops.core.grouping import v1
from ai_ops.core.redaction import Redactor
from ai_ops.errors import PermanentError
from ai_ops.flow.event import ErrorDetail, Event, EventRepo, EventSource, Frame
from ai_ops.flow.repository import Repository
from ai_ops.server.auth import Route, Scope
from ai_ops.server.bodies import read_json
from ai_ops.server.problems import ProblemError, from_validation, json_response
from ai_ops.server.schemas import ErrorBody, EventBody
from ai_ops.server.services import SERVICES, Services

MAX_BATCH = 500


async def post_events(request: web.Request) -> web.StreamResponse:
    """Accept what is valid, name what is not, and tell duplicates apart."""
    services = request.app[SERVICES]
    value = await read_json(request, limit=16 * 1024 * 1024)
    batch = value.get("events") if isinstance(value, dict) else None
    if not isinstance(batch, list):
        raise ProblemError(
            422,
            "invalid_request",
            "events: a list is required",
            errors=[{"field": "events", "reason": "a list is required"}],
        )
    if len(batch) > MAX_BATCH:
        raise ProblemError(413, "too_many_events", f"Send at most {MAX_BATCH} events at once")
    accepted: list[tuple[Event, Repository]] = []
    rejected: list[dict[str, Any]] = []
    for index, item in enumerate(batch):
        try:
            accepted.append(_take(item, services))
        except ValidationError as error:
            rejected.append({"index": index, "reason": from_validation(error).detail})
        except PermanentError as failure:
            rejected.append({"index": index, "reason": failure.message, "code": failure.code})
    ingested = await services.issues.ingest(accepted) if accepted else None
    for task in ingested.tasks if ingested else ():
        await services.engine.enqueue(task)
    return json_response(
        {
            "accepted": ingested.accepted if ingested else 0,
            "duplicates": ingested.duplicates if ingested else 0,
            "rejected": rejected,
        }
    )


def _take(item: Any, services: Services) -> tuple[Event, Repository]:
    """Return a wire event as ours, redacted again and fingerprinted by us."""
    body = EventBody.model_validate(item)
    repository = services.rules.resolve(body.repo.repo_url, body.repo.code_host)
    redact = services.redactor.redact
    event = Event(
        event_id=str(body.event_id),
        occurred_at=body.occurred_at,
        repo=EventRepo(repository.url, repository.code_host, body.repo.default_branch),
        error=_error(body.error, services.redactor),
        node=body.node,
        service=body.service,
        environment=body.environment,
        release=body.release,
        source=EventSource(body.source.path, body.source.offset),
        level=body.level,
        context=tuple(redact(_printable(line)) for line in body.context),
        count=body.count,
        schema_version=body.schema_version,
    )
    return event, repository


def _error(body: ErrorBody, redactor: Redactor) -> ErrorDetail:
    """Describe the excerpt by our own rules; what the agent parsed counts where ours see nothing.

    A newer agent may know languages that this server does not.
    """
    detail, _ = describe(redactor.redact(_printable(body.raw_excerpt)))
    if detail.exception_type or not body.exception_type:
        return detail
    frames = tuple(Frame(f.file, f.line, f.function, f.in_app) for f in body.frames)
    message = redactor.redact(_printable(body.message))
    return ErrorDetail(
        raw_excerpt=detail.raw_excerpt,
        language=body.language,
        exception_type=body.exception_type,
        message=message,
        frames=frames,
        fingerprint=v1.fingerprint(body.language, body.exception_type, message, frames),
        grouping_version=v1.VERSION,
    )


def _printable(text: str) -> str:
    """Replace what no database can keep; a log line is never refused for its bytes."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


ROUTES = (Route("POST", "/v1/events", Scope.EVENTS, post_events),)
