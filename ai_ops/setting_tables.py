"""The tables of ``ai-ops.toml``, typed: what one line of a setting cannot say."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from ai_ops.core.policies import Policy
from ai_ops.flow.judgement import Decision, Role
from ai_ops.flow.notification import NotificationKind
from ai_ops.setting_values import FilePath, WebAddress


class SourceTable(BaseModel):
    """One ``[[source]]`` of ``ai-ops.toml``: an app's logs, and the repository its errors belong to.

    The agent reads those of most kinds. ``otlp`` and ``sentry`` are the server's: they say which repository
    a service of OpenTelemetry or a project of Sentry means.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Literal["file", "stdin", "journald", "elk", "docker", "otlp", "sentry"] = "file"
    path: str = ""
    repo_url: str = ""
    code_host: str = ""
    service: str = ""
    environment: str = ""
    release: str = ""
    language: str = ""
    ignore: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    index: str = ""
    query: str = ""
    project: str = ""

    @model_validator(mode="after")
    def _is_whole(self) -> SourceTable:
        needed = {"file": ("path",), "otlp": ("repo_url",), "sentry": ("repo_url", "project")}
        for name in needed.get(self.kind, ()):
            if not getattr(self, name):
                raise ValueError(f"a source of kind {self.kind} needs {name}")
        return self


def _harmless(pattern: str) -> str:
    from ai_ops.core.redaction.rules import compiled  # most commands read settings and need no rules

    compiled(pattern)
    return pattern


class RedactTable(BaseModel):
    """One ``[[redact]]`` of ``ai-ops.toml``: what is a secret here besides; group 1, or the whole match."""

    model_config = ConfigDict(extra="forbid")

    name: str
    pattern: Annotated[str, AfterValidator(_harmless)]


_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
"""Of a receiver: it stays with what waits for it."""


class WebhookTable(BaseModel):
    """One ``[[webhook]]`` of ``ai-ops.toml``: a program that is told, and of what; no events: of everything.

    ``private`` lets its address be in a private network.
    """

    model_config = ConfigDict(extra="forbid")

    name: _Name
    url: WebAddress = Field(min_length=1)
    secret: SecretStr | None = None
    secret_file: FilePath | None = None
    events: tuple[NotificationKind, ...] = ()
    private: bool = False

    @model_validator(mode="after")
    def _is_whole(self) -> WebhookTable:
        if (self.secret is None) is (self.secret_file is None):
            raise ValueError("needs either secret or secret_file")
        return self


class ChannelTable(BaseModel):
    """One ``[[channel]]`` of ``ai-ops.toml``: a chat that is told, by its address in apprise's form."""

    model_config = ConfigDict(extra="forbid")

    name: _Name
    url: SecretStr | None = None
    url_file: FilePath | None = None
    events: tuple[NotificationKind, ...] = ()

    @model_validator(mode="after")
    def _is_whole(self) -> ChannelTable:
        if (self.url is None) is (self.url_file is None):
            raise ValueError("needs either url or url_file")
        return self


class ExpectedTable(BaseModel):
    """One ``[[expected]]`` of ``ai-ops.toml``: errors that start no repair by themselves, and why."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1)
    type: str = ""
    message: str = ""
    path: str = ""
    repo: str = ""

    @model_validator(mode="after")
    def _says_something(self) -> ExpectedTable:
        if not (self.type or self.message or self.path):
            raise ValueError("needs type, message or path")
        return self


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$"


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError):
        raise ValueError("is no time zone") from None
    return name


class PolicyTable(BaseModel):
    """One ``[[policy]]`` of ``ai-ops.toml``: what tasks of some types or repositories are held to."""

    model_config = ConfigDict(extra="forbid")

    name: _Name
    types: tuple[Literal["lightweight", "medium_context", "heavy_context"], ...] = ()
    repositories: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    roles: tuple[Role, ...] = ()
    hours: Annotated[str, Field(pattern=_HOURS)] | None = None
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = ()
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"

    @model_validator(mode="after")
    def _limits_something(self) -> PolicyTable:
        if not (self.tools or self.folders or self.hosts or self.roles or self.hours or self.days):
            raise ValueError("needs tools, folders, hosts, roles, hours or days")
        return self

    def policy(self) -> Policy:
        """Return the policy."""
        start, _, end = (self.hours or "").partition("-")
        return Policy(
            name=self.name,
            types=self.types,
            repositories=self.repositories,
            tools=self.tools,
            folders=self.folders,
            hosts=self.hosts,
            roles=self.roles,
            hours=(time.fromisoformat(start), time.fromisoformat(end)) if self.hours else None,
            days=tuple(map(_DAYS.index, self.days)),
            timezone=self.timezone,
        )


def _rule(name: str) -> str:
    from ai_ops.core.commands import RULES

    if name not in RULES:
        raise ValueError(f"is no rule; the rules are {', '.join(sorted(RULES))}")
    return name


class CommandRuleTable(BaseModel):
    """One ``[[command_rule]]`` of ``ai-ops.toml``: what is done about a rule of the command analyser."""

    model_config = ConfigDict(extra="forbid")

    rule: Annotated[str, AfterValidator(_rule)]
    decision: Decision
