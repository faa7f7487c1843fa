"""What requests must look like.

Unknown fields are refused, except in events, where a newer agent may meet an older server.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

_SAFE_TEXT_LIMIT = 1024 * 1024


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
Url = Annotated[str, Field(min_length=1, max_length=2048), AfterValidator(_clean)]
Long = Annotated[
    str, Field(min_length=1, max_length=_SAFE_TEXT_LIMIT), AfterValidator(_clean), AfterValidator(_not_blank)
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

    @model_validator(mode="after")
    def _one_of_both(self) -> NewTaskBody:
        if (self.error_content is None) == (self.prompt is None):
            raise ValueError("give exactly one of error_content (a repair) and prompt (a prompt task)")
        if self.error_content is not None:
            self._refuse("a repair", ("name", "description", "type", "folder", "allowed_tools"))
            if self.repo_url is None:
                raise ValueError("a repair needs repo_url")
        else:
            self._refuse("a prompt task", ("fix_mode", "service", "environment", "release"))
        return self

    def _refuse(self, what: str, fields: tuple[str, ...]) -> None:
        given = [field for field in fields if field in self.model_fields_set]
        if given:
            raise ValueError(f"{what} does not take {', '.join(given)}")


class _EventModel(BaseModel):
    model_config = ConfigDict(extra="ignore")


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
    message: Annotated[str, Field(max_length=100_000)] = ""
    frames: Annotated[list[FrameBody], Field(max_length=2000)] = []


class RepoBody(_EventModel):
    """The repository of an event."""

    repo_url: Url
    code_host: Short = ""
    default_branch: Short = ""


class SourceBody(_EventModel):
    """Where the record began."""

    path: Annotated[str, Field(max_length=4096), AfterValidator(_clean)] = ""
    offset: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0


def _in_range(value: datetime) -> datetime:
    moment = value.astimezone(UTC)
    if not 2000 <= moment.year <= 2200:
        raise ValueError("is not a plausible time")
    return moment


class EventBody(_EventModel):
    """One event on the wire."""

    schema_version: Annotated[int, Field(ge=1, le=1000)]
    event_id: UUID
    occurred_at: Annotated[AwareDatetime, AfterValidator(_in_range)]
    repo: RepoBody
    error: ErrorBody
    node: Short = ""
    service: Short = ""
    environment: Short = ""
    release: Short = ""
    source: SourceBody = SourceBody()
    level: Short = ""
    context: Annotated[list[Annotated[str, Field(max_length=100_000)]], Field(max_length=500)] = []
    count: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1
