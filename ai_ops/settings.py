"""Every setting of the product, typed, with its meaning under it.

Order of precedence: flags > environment > ``.env`` > ``ai-ops.toml`` > defaults. Secrets may also come
from files: ``GITHUB_TOKEN_FILE`` names the file that holds ``GITHUB_TOKEN``. The agent reads the few
keys it needs by itself (``ai_ops.agent.options``), because this module is too heavy for it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from ai_ops.errors import PermanentError

TOML_FILE = "ai-ops.toml"


def _split(value: Any) -> Any:
    """Turn ``a, b`` into a tuple; lists from TOML pass through."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""A comma-separated list."""


def _split_secrets(value: Any) -> Any:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return _split(value)


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


class Settings(BaseSettings):
    """The effective configuration. Names are the keys of the environment in lower case."""

    model_config = SettingsConfigDict(extra="ignore", case_sensitive=False, env_file=None, frozen=True)

    # Code hosts
    code_host: Literal["github", "gitlab", "local"] = "github"
    """Where pull requests are opened when neither the request nor the URL's host decides."""
    allowed_repos: Words = ()
    """URL globs of repositories that may be worked on; empty: only those on the configured code host."""
    github_base_url: str = "https://api.github.com"
    """API root; for GitHub Enterprise ``https://host/api/v3``."""
    github_token: SecretStr | None = None
    """Token with contents and pull-request write access."""
    github_repo: str = ""
    """``owner/name``, the repository of events that name none."""
    github_webhook_secret: SecretStr | None = None
    """Secret over which GitHub signs its webhooks."""
    github_app_id: str = ""
    """Id of a GitHub App, instead of a token."""
    github_app_private_key: SecretStr | None = None
    """The App's PEM key."""
    gitlab_base_url: str = "https://gitlab.com"
    """Root of the GitLab instance."""
    gitlab_token: SecretStr | None = None
    """Token with the ``api`` scope."""
    gitlab_project: str = ""
    """``group/name``, the repository of events that name none."""
    gitlab_webhook_token: SecretStr | None = None
    """Token that GitLab sends with its webhooks."""
    pr_comment_command_prefix: str = "/ai-ops"
    """What a comment begins with to be a command."""
    max_open_pull_requests: int = Field(default=5, ge=1)
    """Per repository; further fixes wait for a person."""

    # Agent
    log_file_path: Words = ()
    """Files or globs that the agent follows."""
    keywords: Words = ("ERROR", "Exception", "CRITICAL")
    """Words that make a line an error."""
    log_filter: Literal["strict", "balanced", "lenient"] = "balanced"
    """How readily a line counts as an error."""
    node_name: str = ""
    """Name of this host in event ids; empty: the host's own. It must stay the same."""
    debounce_seconds: float = Field(default=0.5, ge=0)
    """How long a record may still grow, counted from its first line."""
    dedup_window_seconds: float = Field(default=3600, ge=0)
    """Repeats of one error inside it only raise a count; 0: each occurrence is its own event."""
    max_error_queue_size: int = Field(default=10_000, ge=1)
    """Events the agent's spool may hold."""
    agent_server_url: str = "http://127.0.0.1:8080"
    """The server that the agent ships to."""
    agent_api_key: SecretStr | None = None
    """The key the agent shows there."""
    agent_repo_url: str = ""
    """Repository of the followed logs."""
    service_name: str = ""
    """Name of the app, sent with each event."""
    environment: str = ""
    """``production``, ``staging`` …, sent with each event."""
    release: str = ""
    """The deployed commit, sent with each event."""
    release_file: Path | None = None
    """A file that holds the deployed commit."""
    source: tuple[SourceTable, ...] = ()
    """``[[source]]`` tables: one agent, many apps."""
    log_source: Words = ()
    """What the agent reads besides files: ``stdin``, ``journald``, ``elk``, ``docker``."""
    journald_units: Words = ()
    """The systemd units whose journal is read; empty: all."""
    docker_host: str = "unix:///var/run/docker.sock"
    """The engine whose containers' logs are read."""
    docker_containers: Words = ()
    """Globs over the names of containers, or ``label:key=value``; empty: all."""
    elk_url: SecretStr | None = None
    """Elasticsearch to read errors from; a user and a password may stand in it."""
    elk_api_key: SecretStr | None = None
    """Its API key, instead of a user."""
    elk_index: str = ""
    """Its index or pattern."""
    elk_query: str = ""
    """A query string that narrows the documents."""
    elk_poll_seconds: float = Field(default=30, gt=0)
    """How often it is asked."""
    elk_late_seconds: float = Field(default=60, ge=0)
    """How late a document may arrive, by its ``@timestamp``."""

    # Server
    http_host: str = "127.0.0.1"
    """Address to listen on. Beyond loopback a ``SERVER_API_KEY`` is required."""
    http_port: int = Field(default=8080, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    server_api_key: SecretStr | None = None
    """Opens every route."""
    server_agent_keys: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split_secrets)] = ()
    """Keys that open ``POST /v1/events`` and nothing else."""
    public_url: str = ""
    """Prefix of links in mails and pull requests; empty: the address listened on."""
    data_dir: Path = Path("data")
    """Where databases, mirrors and caches live."""
    workspaces_dir: Path = Path("workspaces")
    """Where runs check out."""
    trace_db_path: Path | None = None
    """The SQLite database; empty: ``ai_ops.db`` in ``DATA_DIR``."""
    database_url: str = ""
    """A PostgreSQL URL instead of SQLite."""
    max_concurrent_tasks: int = Field(default=2, ge=1)
    """Tasks worked on at the same time."""
    queue_high: int = Field(default=10, ge=1)
    """More pending tasks than this: prompt tasks that are not urgent are refused."""
    queue_low: int = Field(default=5, ge=0)
    """At this many they are accepted again."""
    log_format: Literal["console", "json"] = "console"
    """How the server logs."""
    report_language: Literal["en", "zh"] = "en"
    """Language of reports."""

    # Claude
    anthropic_api_key: SecretStr | None = None
    """Claude credential: an API key …"""
    anthropic_auth_token: SecretStr | None = None
    """… or a bearer token …"""
    claude_code_oauth_token: SecretStr | None = None
    """… or a subscription's token."""
    anthropic_base_url: str = "https://api.anthropic.com"
    """The Messages API."""
    claude_command: str = ""
    """Path of the Claude CLI; empty: the one bundled with the SDK."""
    claude_args: str = ""
    """Further flags for the CLI, from a short list of allowed ones."""
    claude_fix_mode: Literal["code_blocks", "agentic"] = "code_blocks"
    """How fixes are made, unless a task or ``.ai-ops.yml`` says otherwise."""
    claude_model: str = ""
    """Model to ask; empty: the CLI's default."""
    claude_allowed_models: Words = ()
    """Models that may be asked; empty: any."""
    scripted_answers: Path | None = None
    """A script for the deterministic fixer, used instead of Claude; for rehearsals and tests."""
    claude_wall_seconds: float = Field(default=1800, gt=0)
    """The longest one call to Claude may take."""
    claude_idle_seconds: float = Field(default=120, gt=0)
    """The longest it may be silent."""

    # Repair
    sandbox: Literal["bwrap", "auto", "off"] = "bwrap"
    """How untrusted commands are confined. ``off`` is bannered in every report."""
    setup_network: bool = False
    """Whether a repository's ``setup`` command may use the network."""
    egress_allow: Words = ()
    """Hosts that heavy tasks may reach."""
    require_proof: bool = True
    """Only a proved fix opens a pull request; false lets ``unproved`` through as a draft."""
    max_rounds: int = Field(default=2, ge=1, le=10)
    """How often the evidence goes back to Claude, for each of its two requests."""
    test_wall_seconds: float = Field(default=900, gt=0)
    """The longest a test command may take."""
    budget_usd_per_run: float = Field(default=2.0, ge=0)
    """Money one run may spend, reserved before each call."""
    budget_usd_per_day: float = Field(default=20.0, ge=0)
    """Money all runs may spend in a day."""

    # Mail
    email_enabled: bool = True
    """Whether mails are sent at all."""
    smtp_server: str = ""
    """Empty: mails are written to ``DATA_DIR/outbox`` as ``.eml`` files."""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    """Its port."""
    smtp_user: str = ""
    """User to log in as, and the sender."""
    smtp_password: SecretStr | None = None
    """Its password."""
    smtp_tls: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is protected."""
    smtp_ca_file: Path | None = None
    """Certificates to trust instead of the system's."""
    smtp_sender: str = ""
    """The sender's address, when it is not ``SMTP_USER``."""
    receiver_email: Words = ()
    """Who gets every report."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Everything is gathered by ``load``, which also remembers where each value came from."""
        return (init_settings,)

    @property
    def database(self) -> str:
        """The database's URL."""
        path = self.trace_db_path or self.data_dir / "ai_ops.db"
        return self.database_url or f"sqlite+aiosqlite:///{path}"


@dataclass(frozen=True, slots=True)
class Problem:
    """A setting that cannot be used: its key, where it came from, and why."""

    key: str
    origin: str
    reason: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings and where each value that is not a default came from."""

    settings: Settings
    origins: Mapping[str, str]


class ConfigurationError(PermanentError):
    """Some settings cannot be used; ``problems`` names every one."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        lines = [f"{p.key} ({p.origin}): {p.reason}" for p in problems]
        super().__init__(
            "configuration_invalid", "; ".join(lines), next_step="Mend it, then run: ai-ops config check"
        )
        self.problems = problems


_KEYS = frozenset(Settings.model_fields)
_NO_FILE_TWIN = frozenset({"release"})  # RELEASE_FILE is a key of its own


def _from_names(values: Mapping[str, str | None]) -> tuple[dict[str, Any], list[Problem]]:
    """Take our keys, and the ``_FILE`` twins of them, out of an environment."""
    found: dict[str, Any] = {}
    problems: list[Problem] = []
    lowered = {name.lower(): value for name, value in values.items() if value is not None}
    for key in _KEYS - {"source"}:
        twin = f"{key}_file"
        if (value := lowered.get(key)) not in (None, ""):
            found[key] = value
        elif twin in lowered and twin not in _KEYS and key not in _NO_FILE_TWIN and lowered[twin]:
            try:
                found[key] = Path(lowered[twin]).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                problems.append(Problem(twin.upper(), "environment", f"cannot be read: {error}"))
    return found, problems


def _from_toml(path: Path) -> tuple[dict[str, Any], list[Problem]]:
    """Read ``ai-ops.toml``; a key it does not know is a problem, with a near one suggested."""
    if not path.is_file():
        return {}, []
    try:
        values = TomlConfigSettingsSource(Settings, path)()
    except (OSError, ValueError) as error:
        return {}, [Problem(path.name, path.name, f"cannot be read: {error}")]
    lowered = {name.lower(): value for name, value in values.items()}
    problems = [Problem(name, path.name, _unknown(name)) for name in lowered if name not in _KEYS]
    return {name: value for name, value in lowered.items() if name in _KEYS}, problems


def _unknown(name: str) -> str:
    from rapidfuzz import process

    near = process.extractOne(name, sorted(_KEYS), score_cutoff=75)
    return f"unknown setting; did you mean {near[0]}?" if near else "unknown setting"


def load(
    flags: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Loaded:
    """Gather the settings from all places.

    Args:
        flags: values given on the command line, by field name; None values are not given.
        environment: the process's environment by default.
        folder: where ``.env`` and ``ai-ops.toml`` are looked for; the working folder by default.

    Raises:
        ConfigurationError: with every bad key.
    """
    here = folder or Path.cwd()
    environment = os.environ if environment is None else environment
    problems: list[Problem] = []
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    toml, bad = _from_toml(here / TOML_FILE)
    problems += bad
    dotenv, bad = _from_names(dotenv_values(here / ".env") if (here / ".env").is_file() else {})
    problems += bad
    env, bad = _from_names(environment)
    problems += bad
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    for origin, values in ((TOML_FILE, toml), (".env", dotenv), ("environment", env), ("flag", given)):
        merged |= values
        origins |= dict.fromkeys(values, origin)
    settings: Settings | None = None
    try:
        settings = Settings(**merged)
    except ValidationError as error:
        for detail in error.errors():
            key = str(detail["loc"][0])
            place = ".".join(str(part) for part in detail["loc"])
            problems.append(Problem(place.upper(), origins.get(key, "default"), detail["msg"]))
    if settings is not None:
        problems += _contradictions(settings, origins)
    if problems or settings is None:
        raise ConfigurationError(tuple(problems))
    return Loaded(settings, origins)


def _contradictions(settings: Settings, origins: Mapping[str, str]) -> list[Problem]:
    """Return what is wrong between settings that are each fine."""
    problems = []
    if settings.queue_low >= settings.queue_high:
        problems.append(Problem("QUEUE_LOW", origins.get("queue_low", "default"), "must be below QUEUE_HIGH"))
    if settings.code_host == "local" and not settings.allowed_repos:
        problems.append(
            Problem(
                "ALLOWED_REPOS",
                "default",
                "is required with CODE_HOST=local: name the folder that holds the bare remotes",
            )
        )
    return problems


def masked(value: Any) -> str:
    """Return a setting as it may be shown: secrets as ``***``, lists with commas."""
    if isinstance(value, SecretStr):
        return "***" if value.get_secret_value() else ""
    if isinstance(value, tuple):
        return ", ".join(masked(item) for item in value)
    return "" if value is None else str(value)
