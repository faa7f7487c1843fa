"""Every setting of the product, typed, with its meaning under it.

Order of precedence: flags > environment > ``.env`` > ``ai-ops.toml`` > defaults. Secrets may also come
from files: ``GITHUB_TOKEN_FILE`` names the file that holds ``GITHUB_TOKEN``. ``ai_ops.config_loading``
gathers them. The agent reads the few keys it needs by itself (``ai_ops.agent.options``), because this module
is too heavy for it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from ai_ops.core.commit_rules import AUTHOR_EMAIL, AUTHOR_NAME
from ai_ops.core.expected import ExpectedRule
from ai_ops.setting_tables import (
    ChannelTable,
    CommandRuleTable,
    ExpectedTable,
    PolicyTable,
    RedactTable,
    SourceTable,
    WebhookTable,
)
from ai_ops.setting_values import (
    ClockTime,
    EgressHosts,
    FilePath,
    Folders,
    GitAddress,
    GitName,
    GitPerson,
    Host,
    QuietTimes,
    Secrets,
    TimeZone,
    WebAddress,
    Words,
)


class Settings(BaseSettings):
    """The effective configuration. Names are the keys of the environment in lower case."""

    model_config = SettingsConfigDict(extra="ignore", case_sensitive=False, env_file=None, frozen=True)

    # Code hosts
    code_host: Literal["github", "gitlab", "local"] = "github"
    """Where pull requests are opened when neither the request nor the URL's host decides."""
    allowed_repos: Words = ()
    """URL globs of repositories that may be worked on; empty: only those on the configured code host."""
    github_base_url: WebAddress = "https://api.github.com"
    """API root; for GitHub Enterprise ``https://host/api/v3``."""
    github_token: SecretStr | None = None
    """Token that may write contents, pull requests and issues."""
    github_repo: str = ""
    """``owner/name``, the repository of events that name none."""
    github_webhook_secret: SecretStr | None = None
    """Secret over which GitHub signs its webhooks."""
    github_app_id: str = ""
    """Id of a GitHub App, instead of a token."""
    github_app_private_key: SecretStr | None = None
    """The App's PEM key."""
    gitlab_base_url: WebAddress = "https://gitlab.com"
    """Root of the GitLab instance, as people open it."""
    gitlab_token: SecretStr | None = None
    """Token with the ``api`` scope and the role Developer."""
    gitlab_project: str = ""
    """``group/name``, the repository of events that name none."""
    gitlab_webhook_token: SecretStr | None = None
    """Token that GitLab sends with its webhooks."""
    pr_comment_command_prefix: str = "/ai-ops"
    """What a comment begins with to be a command."""
    max_open_pull_requests: int = Field(default=5, ge=1)
    """Per repository; further repairs wait until one is merged or closed."""
    pull_requests_per_hour: int = Field(default=5, ge=0)
    """New ones that a repository gets in an hour; further repairs wait. 0: any number."""
    pull_requests_per_day: int = Field(default=20, ge=0)
    """The same in a day."""
    pull_requests_per_hour_total: int = Field(default=20, ge=0)
    """New ones in an hour in all repositories together. 0: any number."""
    pull_requests_per_day_total: int = Field(default=100, ge=0)
    """The same in a day."""
    pull_request_expiry_days: float = Field(default=30, ge=0)
    """Open ones that no person has taken part in for so long are closed with a comment. 0: never."""
    draft_until_green: bool = False
    """Whether pull requests are drafts until CI passes, where ``.ai-ops.yml`` does not say."""
    ci_wait_minutes: float = Field(default=60, gt=0)
    """How long a pull request waits for its CI; then no check is awaited that has not begun."""
    ci_repair_rounds: int = Field(default=2, ge=0, le=10)
    """How often a pull request's failing checks are repaired before they are left to people."""
    watch_requests_per_minute: int = Field(default=40, ge=1)
    """Calls a minute to each code host for the round of open pull requests; runs come on top."""
    commit_author_name: GitName = AUTHOR_NAME
    """Author and committer of fixes …"""
    commit_author_email: GitAddress = AUTHOR_EMAIL
    """… and their address; one that the host knows gives the commits a face there."""
    commit_co_author: GitPerson = "Claude <noreply@anthropic.com>"
    """Named in a ``Co-authored-by`` trailer; ``none``: nobody."""
    commit_signoff: bool = False
    """Whether commits bear a ``Signed-off-by`` trailer of their author."""
    commit_signing_key: FilePath | None = None
    """A private key, of SSH or exported from OpenPGP, that signs commits; without a pass phrase."""

    fix_watch_grace: float = Field(default=24, ge=0, le=24 * 365)
    """Hours that a deploy takes at most: after them a build that nobody knows counts as one with the fix."""
    fix_watch_revert: bool = False
    """Whether a fix that did not hold is taken back by a pull request of its own, which a person merges."""

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
    agent_server_url: WebAddress = "http://127.0.0.1:8080"
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
    release_file: FilePath | None = None
    """A file that holds the deployed commit."""
    source: tuple[SourceTable, ...] = ()
    """``[[source]]`` tables: one agent, many apps."""
    expected: tuple[ExpectedTable, ...] = ()
    """``[[expected]]`` tables: errors that start no repair by themselves."""
    redact: tuple[RedactTable, ...] = ()
    """``[[redact]]`` tables: rules of redaction beside the built-in ones, for the agent and the server."""
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
    http_host: Host = "127.0.0.1"
    """Address to listen on. Beyond loopback a ``SERVER_API_KEY`` is required."""
    http_port: int = Field(default=8080, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    server_api_key: SecretStr | None = None
    """Opens every route."""
    server_agent_keys: Secrets = ()
    """Keys that open ``POST /v1/events``, ``POST /v1/logs`` and ``POST /api/{project}/envelope/``, and
    nothing else."""
    public_url: WebAddress = ""
    """Prefix of links in mails and pull requests; empty: the address listened on."""
    data_dir: FilePath = Path("data")
    """Where databases, mirrors and caches live."""
    workspaces_dir: FilePath = Path("workspaces")
    """Where runs check out."""
    trace_db_path: FilePath | None = None
    """The SQLite database; empty: ``ai_ops.db`` in ``DATA_DIR``."""
    database_url: str = ""
    """A PostgreSQL URL instead of SQLite."""
    events_per_minute_per_node: int = Field(default=60_000, ge=0)
    """Events a node may send a minute; above it the agent is told to wait. 0: any number."""
    events_per_minute_per_issue: int = Field(default=1_000, ge=0)
    """Events of one issue that are stored a minute; further ones are only counted. 0: all are stored."""
    spike_tasks_per_hour: int = Field(default=20, ge=0)
    """Repairs that events may start in an hour, per repository and per node; others wait. 0: any number."""
    storm_fingerprints: int = Field(default=10, ge=0)
    """So many new errors just after a change of release become one task that names it. 0: never."""
    storm_window_seconds: float = Field(default=600, gt=0)
    """How long after a change of release new errors are laid to it."""
    event_retention_days: float = Field(default=90, ge=0)
    """Events older than this are removed; issues keep their counts. 0: never."""
    trace_retention_days: float = Field(default=90, ge=0)
    """Traces of ended runs older than this are removed; runs keep their cost. 0: never."""
    max_concurrent_tasks: int = Field(default=2, ge=1)
    """Tasks worked on at the same time."""
    worker_memory_mb: int = Field(default=5000, ge=64)
    """Memory that a worker's processes may use together; one that outgrows it is replaced."""
    worker_silent_seconds: float = Field(default=1200, gt=0)
    """A worker without a sign of life for so long is replaced; never before a test command may end."""
    worker_most_losses: int = Field(default=3, ge=1)
    """A run that lost so many workers is left to a person."""
    heartbeat_seconds: float = Field(default=30, gt=0)
    """How often workers are looked at."""
    health_check_seconds: float = Field(default=60, gt=0)
    """How often the installation's health is checked."""
    disk_floor_gb: float = Field(default=5, ge=0)
    """Less free disk than this is an alert, and old data is removed at once."""
    cache_retention_days: float = Field(default=30, ge=0)
    """Mirrors and set-up layers that nobody used for so long are removed. 0: never."""
    queue_high: int = Field(default=10, ge=1)
    """More pending tasks than this: prompt tasks that are not urgent are refused."""
    queue_low: int = Field(default=5, ge=0)
    """At this many they are accepted again."""
    default_unban_wait: float = Field(default=3600, gt=0)
    """Seconds that the queue waits for a limit of the model's service which does not say when it ends."""
    log_format: Literal["console", "json"] = "console"
    """How the server logs."""
    log_file: FilePath | None = None
    """A file that the server logs to as well."""
    log_file_mb: int = Field(default=50, ge=1)
    """At this size it is rotated, and ``DATA_DIR/alerts.jsonl`` too."""
    log_files: int = Field(default=7, ge=2)
    """How many files there are of each, with the one that is written."""
    report_language: Literal["en", "zh"] = "en"
    """Language of reports."""

    # Command line
    ai_ops_url: WebAddress = ""
    """The server that commands ask; empty: the one at ``HTTP_HOST`` and ``HTTP_PORT``."""
    ai_ops_api_key: SecretStr | None = None
    """The key they show there; empty: ``SERVER_API_KEY``."""

    # Claude
    anthropic_api_key: SecretStr | None = None
    """Claude credential: an API key …"""
    anthropic_auth_token: SecretStr | None = None
    """… or a bearer token …"""
    claude_code_oauth_token: SecretStr | None = None
    """… or a subscription's token."""
    anthropic_base_url: WebAddress = "https://api.anthropic.com"
    """The Messages API."""
    claude_command: str = ""
    """Path of the Claude CLI; empty: the one bundled with the SDK."""
    claude_args: str = ""
    """Further flags for the CLI, from a short list of allowed ones."""
    claude_fix_mode: Literal["code_blocks", "agentic"] = "code_blocks"
    """How fixes are made, unless a task or ``.ai-ops.yml`` says otherwise."""
    claude_model: str = ""
    """Model to ask; empty: the CLI's default."""
    claude_triage_model: str = "claude-haiku-5-5"
    """The cheap model that is asked first what kind of trouble an error is; ``none``: only rules decide."""
    claude_allowed_models: Words = ()
    """Models that may be asked; empty: any."""
    scripted_answers: FilePath | None = None
    """A script for the deterministic fixer, used instead of Claude; for rehearsals and tests."""
    claude_wall_seconds: float = Field(default=18_000, gt=0)
    """The longest one call to Claude may take."""
    claude_idle_seconds: float = Field(default=120, gt=0)
    """The longest it may be silent."""

    # Repair
    sandbox: Literal["bwrap", "auto", "off"] = "bwrap"
    """How untrusted commands are confined. ``off`` is bannered in every report."""
    sandbox_image: str = ""
    """Image of the containers that ``auto`` falls back to; empty: they show this host's tools."""
    sandbox_memory_mb: int = Field(default=4096, ge=64)
    """Memory that one untrusted command may use with all it starts. Claude's CLI is one too."""
    sandbox_processes: int = Field(default=512, ge=16)
    """Processes and threads it may have at a time."""
    sandbox_cpu_seconds: int = Field(default=7200, ge=1)
    """Processor time it may use, of all its processes together."""
    sandbox_disk_mb: int = Field(default=8192, ge=1)
    """How much it may write, wherever."""
    sandbox_files: int = Field(default=500_000, ge=100)
    """How many files it may write."""
    setup_network: bool = False
    """Whether a repository's ``setup`` command may use the network."""
    egress_allow: EgressHosts = ()
    """Hosts that heavy tasks may reach: names, ``*.name`` for those below one, addresses; ``host:port``."""
    templates_dir: FilePath = Path("templates")
    """Where the templates of prompt tasks lie, as YAML files."""
    task_folders: Folders = ()
    """Folders of this server beneath which tasks may work; empty: in none."""
    require_proof: bool = True
    """Only a proved fix opens a pull request; false lets ``unproved`` through as a draft."""
    max_rounds: int = Field(default=2, ge=1, le=10)
    """How often the evidence goes back to Claude, for each of its two requests."""
    fuzzy_edits: bool = False
    """Whether an edit may be placed where the lines are only nearly those it searches for."""
    bug_case_reach: Literal["repository", "owner", "all"] = "repository"
    """Whose bugs of the past the fixer is told of: the repository's, its owner's other ones' too, or all."""
    retry_tries: int = Field(default=5, ge=1, le=100)
    """How often a step is tried in all while its failure may pass by itself."""
    retry_first_seconds: float = Field(default=1, gt=0)
    """The wait before the second try; each further one is twice as long …"""
    retry_longest_seconds: float = Field(default=300, gt=0)
    """… up to this."""
    sandbox_output_mb: int = Field(default=50, ge=1)
    """How much one such command, or one call of Claude's CLI, may print."""
    test_wall_seconds: float = Field(default=900, gt=0)
    """The longest a test command may take."""
    budget_usd_per_run: float = Field(default=2.0, ge=0)
    """Money one run may spend, set aside before each call; then it ends with what it found."""
    budget_usd_per_hour: float = Field(default=10.0, ge=0)
    """Money all runs may spend in an hour of the clock, in UTC; then they wait for the next. 0: no limit."""
    budget_usd_per_day: float = Field(default=20.0, ge=0)
    """Money all runs may spend in a day, in UTC; then they wait for the next."""

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
    smtp_ca_file: FilePath | None = None
    """Certificates to trust instead of the system's."""
    smtp_sender: str = ""
    """The sender's address, when it is not ``SMTP_USER``."""
    receiver_email: Words = ()
    """Who gets every report."""
    mail_reviewers: bool = True
    """Whether the people who should review a fix get its mail too."""
    mail_domains: Words = ()
    """Domains that reviewers' addresses must lie in. Empty: those of ``RECEIVER_EMAIL``, whom CODEOWNERS and
    ``.ai-ops.yml`` name, and who may write to the repository."""
    mail_digest: Literal["off", "hourly", "daily"] = "off"
    """Whether news that are not urgent wait, and go out as one message."""
    mail_digest_at: ClockTime = "08:00"
    """When the daily digest goes out, by ``MAIL_TIMEZONE``."""
    mail_burst: int = Field(default=10, ge=0)
    """More messages than this to one receiver become a digest by themselves. 0: never."""
    mail_burst_seconds: float = Field(default=600, gt=0)
    """Within which time."""
    mail_quiet_hours: QuietTimes = ""
    """When nothing is sent that is not urgent, as ``22:00-07:00`` by ``MAIL_TIMEZONE``; empty: never."""
    mail_timezone: TimeZone = "UTC"
    """The time zone of the two."""
    mail_per_hour: int = Field(default=30, ge=0)
    """Messages to one receiver in an hour; what is more goes into the next digest. 0: any number."""
    notify_urls: Secrets = ()
    """Chat channels that get every report, as apprise writes their addresses."""
    webhook: tuple[WebhookTable, ...] = ()
    """``[[webhook]]`` tables: programs that are told."""
    channel: tuple[ChannelTable, ...] = ()
    """``[[channel]]`` tables: chat channels, each with what it is told."""

    # Guarding
    ai_ops_secret_key: Secrets = ()
    """Key that seals stored secrets, then older ones that still open them; empty: ``DATA_DIR/secret.key``."""
    policy: tuple[PolicyTable, ...] = ()
    """``[[policy]]`` tables: which folders, tools, hosts, hours and roles a kind of work may have."""
    command_rule: tuple[CommandRuleTable, ...] = ()
    """``[[command_rule]]`` tables: rules of the command analyser that decide otherwise here."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Everything is gathered by ``config_loading``, which also remembers where each value came from."""
        return (init_settings,)

    @property
    def own_address(self) -> str:
        """The root address of a server that listens as said here."""
        host = f"[{self.http_host}]" if ":" in self.http_host else self.http_host
        return f"http://{host}:{self.http_port}"

    @property
    def expected_rules(self) -> tuple[ExpectedRule, ...]:
        """What this installation expects."""
        return tuple(ExpectedRule(**table.model_dump()) for table in self.expected)

    @property
    def database(self) -> str:
        """The database's URL."""
        path = self.trace_db_path or self.data_dir / "ai_ops.db"
        return self.database_url or f"sqlite:///{path}"


_PASSWORD = re.compile(r"(://[^:/@\s]*:)\S*@")


def masked(value: Any) -> str:
    """Return a setting as it may be shown: secrets as ``***``, in addresses too, and lists with commas."""
    if isinstance(value, SecretStr):
        return "***" if value.get_secret_value() else ""
    if isinstance(value, tuple):
        return ", ".join(masked(item) for item in value)
    if isinstance(value, BaseModel):
        said = [f"{name} = {_in_table(each)}" for name, each in value if name in value.model_fields_set]
        return f"{{ {', '.join(said)} }}"
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else _PASSWORD.sub(r"\1***@", str(value))


def _in_table(value: Any) -> str:
    """Return a value of a table as it would be written in ``ai-ops.toml``, masked."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_in_table, value))}]"
    plain = isinstance(value, bool | int | float)
    return masked(value) if plain else json.dumps(masked(value), ensure_ascii=False)
