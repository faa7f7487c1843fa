"""Between rows and nouns: the only place that knows both. Text is capped and made storable here."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping

from ai_ops.core.failures import failed
from ai_ops.flow.ci import CiStatus, CiVerdict
from ai_ops.flow.event import ErrorDetail, Event, EventRepo, EventSource, Frame
from ai_ops.flow.issue import Issue, IssueState, TriageClass, TriageDecision, TriageJudge
from ai_ops.flow.notification import Notification, NotificationKind, NotificationState
from ai_ops.flow.pull_request import PullRequest, PullRequestState, Reviewer
from ai_ops.flow.task import Priority, Proof, Reason, Task, TaskKind, TaskState, Verdict

MAX_PAGE = 200
NAME = 256
MESSAGE = 8_192
EXCERPT = 65_536
DOCUMENT = 2_000_000
_MAX_FRAMES = 200
_MAX_CAUSES = 100
_MAX_CONTEXT = 50
_MAX_COUNT = 1_000_000_000
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


def clean(text: str, limit: int = MESSAGE) -> str:
    """Return text of at most ``limit`` characters that any database can hold."""
    if len(text) <= limit and text.isascii() and "\0" not in text:  # nearly all of them
        return text
    return storable(f"{text[: limit - 1]}…" if len(text) > limit else text)


def storable(text: str) -> str:
    """Return text without NUL and lone surrogates, which a database or UTF-8 cannot hold."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def moment(at: datetime, now: datetime) -> datetime:
    """Return a time somebody else's clock gave, in UTC; beyond what can be true it is ``now``."""
    try:
        utc = at.astimezone(UTC)
    except (OverflowError, ValueError):
        return now
    return utc if _EARLIEST <= utc <= now else now


def page_size(limit: int) -> int:
    """Return how many items a page may have."""
    return max(1, min(limit, MAX_PAGE))


def cursor_of(seq: int) -> str:
    """Return the opaque cursor of the page after a row."""
    return base64.urlsafe_b64encode(f"v1:{seq}".encode()).decode().rstrip("=")


def seq_of(cursor: str) -> int:
    """Return what a cursor stands for.

    Raises:
        PermanentError: ``invalid_cursor``.
    """
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        text = ""
    number = text.removeprefix("v1:")
    if not text.startswith("v1:") or not number.isascii() or not number.isdigit() or len(number) > 18:
        raise failed("invalid_cursor")
    return int(number)


def error_json(error: ErrorDetail) -> dict[str, Any]:
    """Return the part of an event's JSON that says what went wrong; events of one text share it."""
    frames = [
        [clean(f.file, 1024), f.line, clean(f.function, 512), f.in_app] for f in error.frames[-_MAX_FRAMES:]
    ]
    return {
        "error": {
            "raw_excerpt": clean(error.raw_excerpt, EXCERPT),
            "language": clean(error.language, 64),
            "exception_type": clean(error.exception_type, 300),
            "message": clean(error.message),
            "fingerprint": error.fingerprint,
            "grouping_version": error.grouping_version,
        },
        "cause_types": [clean(kind, 300) for kind in error.cause_types[:_MAX_CAUSES]],
        "frames": frames,
    }


def event_json(event: Event, error: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return an event as JSON, each text capped; ``error`` is its ``error_json`` when it is there already."""
    return {
        "event_id": event.event_id,
        "occurred_at": event.occurred_at.isoformat(),
        "repo": [
            clean(v, 2048) for v in (event.repo.repo_url, event.repo.code_host, event.repo.default_branch)
        ],
        **(error or error_json(event.error)),
        "node": clean(event.node, NAME),
        "service": clean(event.service, NAME),
        "environment": clean(event.environment, NAME),
        "release": clean(event.release, NAME),
        "source": [clean(event.source.path, 4096), event.source.offset],
        "level": clean(event.level, 32),
        "context": [clean(line, 2048) for line in event.context[-_MAX_CONTEXT:]],
        "count": count_of(event),
        "schema_version": event.schema_version,
    }


def count_of(event: Event) -> int:
    """Return how many repeats an event stands for, within reason."""
    return max(1, min(event.count, _MAX_COUNT))


def event_from(stored: Mapping[str, Any]) -> Event:
    """Return the event that ``event_json`` wrote."""
    same = ("event_id", "node", "service", "environment", "release", "level", "count", "schema_version")
    return Event(
        occurred_at=datetime.fromisoformat(stored["occurred_at"]),
        repo=EventRepo(*stored["repo"]),
        error=error_from(stored),
        source=EventSource(*stored["source"]),
        context=tuple(stored["context"]),
        **{name: stored[name] for name in same},
    )


def error_from(stored: Mapping[str, Any]) -> ErrorDetail:
    """Return the error that ``error_json`` wrote."""
    frames = tuple(Frame(*frame) for frame in stored["frames"])
    return ErrorDetail(**stored["error"], frames=frames, cause_types=tuple(stored.get("cause_types", ())))


def issue_from(row: Mapping[str, Any] | RowMapping) -> Issue:
    """Return the issue of a row."""
    special = {"state", "triage", "sample"}
    return Issue(
        **{f.name: row[f.name] for f in fields(Issue) if f.name not in special},
        state=IssueState(row["state"]),
        triage=triage_from(row),
        sample=event_from(row["sample"]),
    )


def triage_from(row: Mapping[str, Any] | RowMapping) -> TriageDecision:
    """Return what triage says of the issue of a row."""
    return TriageDecision(
        TriageClass(row["triage_class"]),
        row["triage_repair"],
        row["triage_reason"],
        TriageJudge(row["triage_judge"]),
    )


def triage_columns(decision: TriageDecision) -> dict[str, Any]:
    """Return a decision as the columns of its issue."""
    return {
        "triage_class": decision.triage_class,
        "triage_repair": decision.repair,
        "triage_reason": clean(decision.reason, 1000),
        "triage_judge": decision.judge,
    }


def task_row(task: Task) -> dict[str, Any]:
    """Return the row of a task."""
    return {f.name: task_value(f.name, getattr(task, f.name)) for f in fields(Task)}


def task_value(name: str, value: Any) -> Any:
    """Return one field of a task as its column holds it."""
    if name == "proof":
        return proof_json(value)
    if name == "failure" and value is not None:
        return {key: clean(str(words)) for key, words in value.items()}
    return clean(value) if isinstance(value, str) else value


_MADE_OF_A_TASK = frozenset({"kind", "state", "priority", "proof"})
_SAME_IN_A_TASK = tuple(f.name for f in fields(Task) if f.name not in _MADE_OF_A_TASK)


def task_from(row: RowMapping) -> Task:
    """Return the task of a row."""
    return Task(
        **{name: row[name] for name in _SAME_IN_A_TASK},
        kind=TaskKind(row["kind"]),
        state=TaskState(row["state"]),
        priority=Priority(row["priority"]),
        proof=proof_from(row["proof"]),
    )


def pull_request_row(pull_request: PullRequest) -> dict[str, Any]:
    """Return the row of a pull request."""
    return {f.name: pull_request_value(f.name, getattr(pull_request, f.name)) for f in fields(PullRequest)}


def pull_request_value(name: str, value: Any) -> Any:
    """Return one field of a pull request as its column holds it."""
    if name == "proof":
        return proof_json(value)
    if name == "ci":
        return ci_json(value)
    if name == "reviewers":
        return [{key: _short(said) for key, said in asdict(each).items()} for each in value]
    return (
        clean(value, DOCUMENT if name in ("body", "diff") else MESSAGE) if isinstance(value, str) else value
    )


def _short(value: Any) -> Any:
    return clean(value, NAME) if isinstance(value, str) else value


def pull_request_from(row: RowMapping) -> PullRequest:
    """Return the pull request of a row."""
    special = {"state", "proof", "reviewers", "ci", "reproduction"}
    return PullRequest(
        **{f.name: row[f.name] for f in fields(PullRequest) if f.name not in special},
        state=PullRequestState(row["state"]),
        proof=proof_from(row["proof"]),
        reviewers=tuple(Reviewer(**each) for each in row["reviewers"]),
        ci=ci_from(row["ci"]),
        reproduction=tuple(row["reproduction"]),
    )


def ci_json(status: CiStatus) -> dict[str, Any]:
    """Return how CI stands as JSON; the names of checks come from outside."""
    return {
        **asdict(status),
        "words": clean(status.words, NAME * 4),
        "since": status.since.isoformat() if status.since else None,
        "passed": [clean(name, NAME) for name in status.passed],
        "failed": [clean(name, NAME) for name in status.failed],
    }


def ci_from(stored: Mapping[str, Any]) -> CiStatus:
    """Return the status that ``ci_json`` wrote; nothing was written before the first look."""
    if not stored:
        return CiStatus()
    lists = {name: tuple(stored[name]) for name in ("passed", "failed", "said")}
    since = datetime.fromisoformat(stored["since"]) if stored["since"] else None
    verdict = CiVerdict(stored["verdict"])
    return CiStatus(**{**stored, **lists, "since": since, "verdict": verdict})


def notification_row(notification: Notification) -> dict[str, Any]:
    """Return the row of a notification."""
    row = {f.name: getattr(notification, f.name) for f in fields(Notification)}
    cleaned = {k: clean(v, DOCUMENT) for k, v in row.items() if isinstance(v, str)}
    named = {"id": notification.id, "way": notification.way, "recipients": list(notification.recipients)}
    return {**row, **cleaned, **named}


def notification_from(row: RowMapping) -> Notification:
    """Return the notification of a row."""
    special = {"state", "kind", "recipients"}
    return Notification(
        **{f.name: row[f.name] for f in fields(Notification) if f.name not in special},
        state=NotificationState(row["state"]),
        kind=NotificationKind(row["kind"]),
        recipients=tuple(row["recipients"]),
    )


def proof_json(proof: Proof) -> dict[str, Any]:
    """Return a proof as JSON."""
    return {"verdict": proof.verdict, "reasons": [asdict(reason) for reason in proof.reasons]}


def proof_from(stored: Mapping[str, Any]) -> Proof:
    """Return the proof that ``proof_json`` wrote."""
    verdict = stored["verdict"]
    return Proof(
        Verdict(verdict) if verdict else None, tuple(Reason(**reason) for reason in stored["reasons"])
    )
