"""From wire events to issues and tasks; used by all routes that take events and by the local monitor."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ai_ops.core.failures import failed
from ai_ops.core.grouping import v1
from ai_ops.core.wording import counted, one_line, sentences
from ai_ops.errors import PermanentError
from ai_ops.flow.event import ErrorDetail, Event, EventRepo, EventSource, Frame
from ai_ops.flow.repository import Repository
from ai_ops.server.problems import from_validation
from ai_ops.server.schemas import ErrorBody, EventBody, RepoBody
from ai_ops.server.services import Services

log = logging.getLogger(__name__)

_NAMED = 5
_WORDS = 300


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch. ``rejected`` are ``{"index", "reason", "code"}`` objects.

    ``only_counted`` of the accepted events came faster than their issue's limit: nothing else of them
    is stored.
    """

    accepted: int
    duplicates: int
    rejected: tuple[dict[str, Any], ...]
    only_counted: int = 0


async def take_batch(batch: Sequence[Any], services: Services) -> Taken:
    """Commit what is valid, durably, enqueue the tasks that follow, and name what is not valid.

    Raises:
        TemporaryError: ``storage_unavailable``, ``node_rate_exceeded``; nothing was acknowledged.
    """
    valid, rejected = await _read(batch, services)
    _hold_to_rates((event.node for event, _ in valid), services)
    return await _commit(valid, rejected, services)


async def take_batches(
    events: Sequence[dict[str, Any]], size: int, services: Services
) -> AsyncIterator[Taken]:
    """Take the wire events of one request as ``take_batch`` does, ``size`` at a time.

    Their nodes are charged for the request once, before its first batch: charged by the batch, a request
    larger than what a minute allows would be held up in its middle at each try, and never be taken whole.

    Raises:
        TemporaryError: as ``take_batch``; what was yielded before stays taken, and is a duplicate later.
    """
    _hold_to_rates((event["node"] for event in events), services)
    for begin in range(0, len(events), size):
        valid, rejected = await _read(events[begin : begin + size], services)
        yield await _commit(valid, rejected, services)


async def _read(
    batch: Sequence[Any], services: Services
) -> tuple[list[tuple[Event, Repository]], list[dict[str, Any]]]:
    # Redaction and parsing of a large batch take their time; the loop goes on answering meanwhile.
    valid, rejected = await asyncio.to_thread(_sort, batch, services)
    if rejected:
        log.warning("%s", _rejection(batch, rejected, services.redactor.redact))
    return valid, rejected


async def _commit(
    valid: Sequence[tuple[Event, Repository]], rejected: Sequence[dict[str, Any]], services: Services
) -> Taken:
    if not valid:
        return Taken(0, 0, tuple(rejected))
    ingested = await services.issues.ingest(valid)
    for task in ingested.withdrawn:
        await services.engine.cancel(task)
    for task in ingested.tasks:
        await services.enqueue(task)
    return Taken(ingested.accepted, ingested.duplicates, tuple(rejected), ingested.only_counted)


def _hold_to_rates(nodes: Iterable[str], services: Services) -> None:
    wait = services.node_rates.wait_seconds(nodes)
    if wait > 0:
        raise failed("node_rate_exceeded", delay=wait)


def _sort(
    batch: Sequence[Any], services: Services
) -> tuple[list[tuple[Event, Repository]], list[dict[str, Any]]]:
    valid: list[tuple[Event, Repository]] = []
    rejected: list[dict[str, Any]] = []
    reader = Reader(services)
    for index, item in enumerate(batch):
        try:
            valid.append(reader.read(item))
        except ValidationError as error:
            reason = from_validation(error).detail
            rejected.append({"index": index, "reason": reason, "code": "invalid_event"})
        except PermanentError as failure:
            reason = sentences(failure.message, failure.next_step)
            rejected.append({"index": index, "reason": reason, "code": failure.code})
    return valid, rejected


def _rejection(batch: Sequence[Any], rejected: Sequence[dict[str, Any]], redact: Callable[[str], str]) -> str:
    """Return one line for the log: how many, from which nodes, and why. Nothing of the events' text."""
    nodes = Counter(_node(batch[item["index"]]) for item in rejected).most_common()
    reasons = Counter((item["code"], item["reason"]) for item in rejected).most_common()
    who = [one_line(redact(node), _WORDS) for node, _ in nodes[:_NAMED]]
    why = [f"{number} {code}: {one_line(redact(text), _WORDS)}" for (code, text), number in reasons[:_NAMED]]
    events = counted(len(batch), "event", "events")
    return f"rejected {len(rejected)} of {events} from node {', '.join(who)}: {' | '.join(why)}"


def _node(item: Any) -> str:
    node = item.get("node") if isinstance(item, dict) else None
    return node if isinstance(node, str) and node else "unnamed"


class Reader:
    """Reads the events of one batch, whose short texts and repositories are mostly the same."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._redacted: dict[str, str] = {"": ""}
        self._repositories: dict[tuple[str, str, str], tuple[Repository, EventRepo]] = {}

    def read(self, item: Any) -> tuple[Event, Repository]:
        """Return a wire event as ours, redacted again and fingerprinted by us.

        Raises:
            ValidationError: it is no event.
            PermanentError: its repository is not one of ours.
        """
        body = EventBody.model_validate(item)
        repository, event_repo = self._repository(body.repo)
        redact = self._redact
        # One text, so that a secret over several lines is seen whole.
        context = redact(printable("\n".join(body.context))).split("\n") if body.context else ()
        event = Event(
            event_id=str(body.event_id),
            occurred_at=body.occurred_at,
            repo=event_repo,
            error=self._error(body.error),
            node=redact(body.node),
            service=redact(body.service),
            environment=redact(body.environment),
            release=redact(body.release),
            source=EventSource(redact(body.source.path), body.source.offset),
            level=redact(body.level),
            context=tuple(context),
            count=body.count,
            schema_version=body.schema_version,
        )
        return event, repository

    def _redact(self, text: str) -> str:
        found = self._redacted.get(text)
        if found is None:
            found = self._redacted[text] = self._services.redactor.redact(text)
        return found

    def _repository(self, body: RepoBody) -> tuple[Repository, EventRepo]:
        key = body.repo_url, body.code_host, body.default_branch
        found = self._repositories.get(key)
        if found is None:
            known = self._services.repository(body.repo_url, body.code_host)
            of_event = EventRepo(known.url, known.code_host, self._redact(body.default_branch))
            found = self._repositories[key] = known, of_event
        return found

    def _error(self, body: ErrorBody) -> ErrorDetail:
        """Describe the excerpt by our own rules; what the agent parsed counts where ours see nothing.

        A newer agent may know languages that this server does not.
        """
        detail, _ = self._services.descriptions.describe(printable(body.raw_excerpt))
        if detail.exception_type or not body.exception_type:
            return detail
        redact = self._redact
        language, exception_type = redact(body.language) or detail.language, redact(body.exception_type)
        message = redact(printable(body.message))
        given = tuple(Frame(redact(f.file), f.line, redact(f.function), f.in_app) for f in body.frames)
        frames = given or detail.frames
        causes = tuple(map(redact, body.cause_types))
        return ErrorDetail(
            raw_excerpt=detail.raw_excerpt,
            language=language,
            exception_type=exception_type,
            message=message,
            frames=frames,
            fingerprint=v1.fingerprint(language, exception_type, message, frames, causes),
            grouping_version=v1.VERSION,
            cause_types=causes,
        )


def printable(text: str) -> str:
    """Replace what no database can keep; a log line is never refused for its bytes."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
