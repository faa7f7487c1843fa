"""What requests must look like.

Unknown fields are refused, except in events, where a newer agent may meet an older server.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from ai_ops.core.task_commands import BY_TYPE, powers
from ai_ops.core.workflows import MOST_BYTES
from ai_ops.flow.judgement import Role
from ai_ops.flow.schedule import Missed, Overlap
from ai_ops.flow.task import TaskType

_SAFE_TEXT_LIMIT = 1024 * 1024
_DATE = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")


def _clean(value: str) -> str:
    """Refuse what no database can keep: NUL and lone surrogates."""
    if "\x00" in value:
        raise ValueError("must not contain NUL")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("must not contain lone surrogates") from None
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


Short = Annotated[str, Field(max_length=512), AfterValidator(_clean)]
Name = Annotated[str, Field(min_length=1, max_length=512), AfterValidator(_clean), AfterValidator(_not_blank)]
Url = Annotated[str, Field(min_length=1, max_length=2048), AfterValidator(_clean)]
Long = Annotated[
    str, Field(min_length=1, max_length=_SAFE_TEXT_LIMIT), AfterValidator(_clean), AfterValidator(_not_blank)
]

Comment = Annotated[
    str, Field(min_length=1, max_length=65_536), AfterValidator(_clean), AfterValidator(_not_blank)
]


class NewTaskBody(BaseModel):
    """``POST /v1/tasks``: a repair has ``error_content``, a prompt task has ``prompt``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    error_content: Long | None = None
    prompt: Long | None = None
    repo_url: Url | None = None
    code_host: Short = ""
    fix_mode: Literal["code_blocks", "agentic"] | None = None
    service: Short = ""
    environment: Short = ""
    release: Short = ""
    name: Short = ""
    description: Annotated[str, Field(max_length=20_000), AfterValidator(_clean)] = ""
    type: Literal["lightweight", "medium_context", "heavy_context"] | None = None
    priority: Literal["low", "normal", "high", "urgent"] = "normal"
    folder: Annotated[str, Field(max_length=1024), AfterValidator(_clean)] | None = None
    allowed_tools: Annotated[list[Short], Field(max_length=50)] | None = None
    budget_usd: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] | None = None
    pull_request: bool = False

    def misfits(self) -> list[tuple[str, str]]:
        """Return what does not fit together, as (field, reason)."""
        if (self.error_content is None) == (self.prompt is None):
            reason = "give exactly one of error_content (a repair) and prompt (a prompt task)"
            return [("error_content", reason), ("prompt", reason)]
        repair = self.error_content is not None
        kind, foreign = ("a repair", _OF_A_PROMPT) if repair else ("a prompt task", _OF_A_REPAIR)
        found = [(name, f"{kind} does not take it") for name in foreign if getattr(self, name)]
        if repair and self.repo_url is None:
            found.append(("repo_url", "a repair needs it"))
        if self.repo_url is None and self.code_host:
            found.append(("code_host", "says something about repo_url only"))
        if self.folder and self.repo_url is not None and not repair:
            found.append(("folder", "give either a repository or a folder"))
        if self.pull_request and not repair:
            found += self._not_proposed()
        if self.allowed_tools and not repair:
            found += self._without_tools(self.allowed_tools)
        return found

    def _not_proposed(self) -> list[tuple[str, str]]:
        if self.repo_url is None:
            return [("pull_request", "it needs repo_url")]
        reads = self.type == "lightweight"
        return [("pull_request", "a lightweight task writes nothing")] if reads else []

    def _without_tools(self, allowed: list[str]) -> list[tuple[str, str]]:
        kind = TaskType(self.type or "heavy_context")
        if powers(kind, allowed).tools:
            return []
        return [("allowed_tools", f"{kind} has none of these; it has {', '.join(BY_TYPE[kind].tools)}")]


_OF_A_REPAIR = ("fix_mode", "service", "environment", "release")


class ScanBody(BaseModel):
    """``POST /v1/security/scan``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: Long


class UnblockBody(BaseModel):
    """``POST /v1/security/tasks/{id}/unblock``: who says so, as what, and why."""

    model_config = ConfigDict(extra="forbid", strict=True)

    role: Annotated[Role, Field(strict=False)]
    reason: Name


class _ScheduleFields(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    timezone: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_clean)] = "UTC"
    enabled: bool = True
    missed: Annotated[Missed, Field(strict=False)] = Missed.COALESCE
    overlap: Annotated[Overlap, Field(strict=False)] = Overlap.SKIP


class ScheduleBody(_ScheduleFields):
    """``POST /v1/schedules``: when, and the prompt task that is made then."""

    name: Annotated[
        str, Field(min_length=1, max_length=512), AfterValidator(_clean), AfterValidator(_not_blank)
    ]
    cron: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_clean)]
    task: NewTaskBody
    external_id: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_clean)] | None = None


class ScheduleChangeBody(_ScheduleFields):
    """``PATCH /v1/schedules/{id}``: what is given changes."""

    name: (
        Annotated[
            str, Field(min_length=1, max_length=512), AfterValidator(_clean), AfterValidator(_not_blank)
        ]
        | None
    ) = None
    cron: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_clean)] | None = None
    task: NewTaskBody | None = None


_Given = Annotated[dict[Short, str | int | float | bool | None], Field(max_length=50)]


class TemplateUseBody(BaseModel):
    """``POST /v1/templates/{name}/apply``: the values of its parameters."""

    model_config = ConfigDict(extra="forbid", strict=True)

    parameters: _Given = Field(default_factory=dict)


class WorkflowBody(TemplateUseBody):
    """``POST /v1/workflows``: a workflow's file as text, and the values of its parameters."""

    definition: Annotated[str, Field(min_length=1, max_length=MOST_BYTES), AfterValidator(_clean)]


class MaintenanceBody(BaseModel):
    """``POST /v1/system/maintenance``: whether there is to be maintenance, and why."""

    model_config = ConfigDict(extra="forbid", strict=True)

    on: bool
    reason: Annotated[str, Field(max_length=500), AfterValidator(_clean)] = ""


class MergeBody(BaseModel):
    """``POST /v1/issues/{id}/merge``: the issue that this one is merged into."""

    model_config = ConfigDict(extra="forbid", strict=True)

    into: Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_clean)]


class SplitBody(BaseModel):
    """``POST /v1/issues/{id}/split``: the fingerprint to take out of this issue."""

    model_config = ConfigDict(extra="forbid", strict=True)

    fingerprint: Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_clean)]


class CommentBody(BaseModel):
    """``POST /v1/pull-requests/{id}/comments``: what somebody writes, and in which thread."""

    model_config = ConfigDict(extra="forbid", strict=True)

    comment: Comment
    author: Annotated[str, Field(max_length=200), AfterValidator(_clean)] = ""
    thread: Annotated[str, Field(max_length=36), AfterValidator(_clean)] = ""


class PullRequestCommentBody(BaseModel):
    """``POST /v1/pr-comments``: a word about the pull request that is named by number or address."""

    model_config = ConfigDict(extra="forbid", strict=True)

    repo_url: Url
    comment: Comment
    pr_url: Annotated[str, Field(max_length=2048), AfterValidator(_clean)] = ""
    pr_number: Annotated[int, Field(ge=1, lt=2**31)] | None = None

    def misfits(self) -> list[tuple[str, str]]:
        """Return what does not fit together, as (field, reason)."""
        if self.pr_url or self.pr_number is not None:
            return []
        return [("pr_number", "give pr_number or pr_url"), ("pr_url", "give pr_number or pr_url")]


class RetrievalBody(BaseModel):
    """``POST /v1/debug/retrieval``: an issue, or an error as it was logged and the repository it is of."""

    model_config = ConfigDict(extra="forbid", strict=True)

    issue_id: Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_clean)] | None = None
    error_content: Long | None = None
    repo_url: Url | None = None
    code_host: Short = ""
    limit: Annotated[int, Field(ge=1, le=50)] = 10

    def misfits(self) -> list[tuple[str, str]]:
        """Return what does not fit together, as (field, reason)."""
        if (self.issue_id is None) == (self.error_content is None):
            reason = "give exactly one of issue_id and error_content"
            return [("issue_id", reason), ("error_content", reason)]
        if self.error_content is not None and self.repo_url is None:
            return [("repo_url", "error_content needs it")]
        foreign = [name for name in ("repo_url", "code_host") if getattr(self, name)]
        return [(name, "an issue has its own") for name in foreign] if self.issue_id is not None else []


_OF_A_PROMPT = ("name", "description", "type", "folder", "allowed_tools", "timeout_seconds", "pull_request")


class _EventModel(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class FrameBody(_EventModel):
    """A frame of an event."""

    file: Annotated[str, Field(max_length=4096), AfterValidator(_clean)]
    line: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    function: Annotated[str, Field(max_length=1024), AfterValidator(_clean)] = ""
    in_app: bool = True


class ErrorBody(_EventModel):
    """The error of an event. The fingerprint is computed again here."""

    raw_excerpt: Annotated[str, Field(min_length=1, max_length=_SAFE_TEXT_LIMIT), AfterValidator(_not_blank)]
    language: Short = ""
    exception_type: Short = ""
    cause_types: Annotated[list[Short], Field(max_length=2000, default_factory=list)]
    message: Annotated[str, Field(max_length=100_000)] = ""
    frames: Annotated[list[FrameBody], Field(max_length=2000, default_factory=list)]


class RepoBody(_EventModel):
    """The repository of an event."""

    repo_url: Url
    code_host: Short = ""
    default_branch: Short = ""


class SourceBody(_EventModel):
    """Where the record began."""

    path: Annotated[str, Field(max_length=4096), AfterValidator(_clean)] = ""
    offset: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0


def _is_rfc3339(value: object) -> object:
    """Refuse the numbers that the type would take for seconds since 1970."""
    if not isinstance(value, str) or not _DATE.match(value):
        raise ValueError("must be a time as in RFC 3339")
    return value


def _in_range(value: datetime) -> datetime:
    if not 2000 <= value.year <= 2200:  # asked first: at the ends of the calendar, UTC overflows
        raise ValueError("is not a plausible time")
    return value.astimezone(UTC)


Moment = Annotated[
    AwareDatetime, Field(strict=False), BeforeValidator(_is_rfc3339), AfterValidator(_in_range)
]


class EventBody(_EventModel):
    """One event on the wire."""

    schema_version: Annotated[int, Field(ge=1, le=1000)]
    event_id: Annotated[UUID, Field(strict=False)]
    occurred_at: Moment
    repo: RepoBody
    error: ErrorBody
    node: Short = ""
    service: Short = ""
    environment: Short = ""
    release: Short = ""
    source: SourceBody = Field(default_factory=SourceBody)
    level: Short = ""
    context: Annotated[list[Annotated[str, Field(max_length=100_000)]], Field(max_length=500)] = Field(
        default_factory=list
    )
    count: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1
