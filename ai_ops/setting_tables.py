"""The tables of ``ai-ops.toml``, typed: what one line of a setting cannot say."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from ai_ops.core.redaction.rules import compiled
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
