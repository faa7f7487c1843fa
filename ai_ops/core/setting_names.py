"""The name of every setting, and what a name that is none of them was probably meant to be.

The names stand here a second time because the agent warns of misspelt ones too, and the typed settings
are too heavy for it. A test holds both lists together.
"""

from __future__ import annotations

TABLES = ("SOURCE", "EXPECTED", "REDACT", "WEBHOOK", "CHANNEL", "POLICY", "COMMAND_RULE")
"""Settings that are tables of ``ai-ops.toml`` and stand nowhere else."""

NAMES = frozenset(
    {
        "CODE_HOST",
        "ALLOWED_REPOS",
        "GITHUB_BASE_URL",
        "GITHUB_TOKEN",
        "GITHUB_REPO",
        "GITHUB_WEBHOOK_SECRET",
        "GITHUB_APP_ID",
        "GITHUB_APP_PRIVATE_KEY",
        "GITLAB_BASE_URL",
        "GITLAB_TOKEN",
        "GITLAB_PROJECT",
        "GITLAB_WEBHOOK_TOKEN",
        "PR_COMMENT_COMMAND_PREFIX",
        "MAX_OPEN_PULL_REQUESTS",
        "DRAFT_UNTIL_GREEN",
        "CI_WAIT_MINUTES",
        "CI_REPAIR_ROUNDS",
        "WATCH_REQUESTS_PER_MINUTE",
        "PULL_REQUESTS_PER_HOUR",
        "PULL_REQUESTS_PER_DAY",
        "PULL_REQUESTS_PER_HOUR_TOTAL",
        "PULL_REQUESTS_PER_DAY_TOTAL",
        "PULL_REQUEST_EXPIRY_DAYS",
        "COMMIT_AUTHOR_NAME",
        "COMMIT_AUTHOR_EMAIL",
        "COMMIT_CO_AUTHOR",
        "COMMIT_SIGNOFF",
        "COMMIT_SIGNING_KEY",
        "AI_OPS_SECRET_KEY",
        "FIX_WATCH_GRACE",
        "FIX_WATCH_REVERT",
        "LOG_FILE_PATH",
        "LOG_SOURCE",
        "JOURNALD_UNITS",
        "DOCKER_HOST",
        "DOCKER_CONTAINERS",
        "ELK_API_KEY",
        "ELK_LATE_SECONDS",
        "KEYWORDS",
        "LOG_FILTER",
        "NODE_NAME",
        "DEBOUNCE_SECONDS",
        "DEDUP_WINDOW_SECONDS",
        "MAX_ERROR_QUEUE_SIZE",
        "AGENT_SERVER_URL",
        "AGENT_API_KEY",
        "AGENT_REPO_URL",
        "SERVICE_NAME",
        "ENVIRONMENT",
        "RELEASE",
        "RELEASE_FILE",
        *TABLES,
        "ELK_URL",
        "ELK_INDEX",
        "ELK_QUERY",
        "ELK_POLL_SECONDS",
        "HTTP_HOST",
        "HTTP_PORT",
        "SERVER_API_KEY",
        "SERVER_AGENT_KEYS",
        "PUBLIC_URL",
        "DATA_DIR",
        "TEMPLATES_DIR",
        "WORKSPACES_DIR",
        "TRACE_DB_PATH",
        "DATABASE_URL",
        "MAX_CONCURRENT_TASKS",
        "EVENTS_PER_MINUTE_PER_NODE",
        "EVENTS_PER_MINUTE_PER_ISSUE",
        "SPIKE_TASKS_PER_HOUR",
        "STORM_FINGERPRINTS",
        "STORM_WINDOW_SECONDS",
        "EVENT_RETENTION_DAYS",
        "TRACE_RETENTION_DAYS",
        "WORKER_MEMORY_MB",
        "WORKER_SILENT_SECONDS",
        "WORKER_MOST_LOSSES",
        "HEARTBEAT_SECONDS",
        "HEALTH_CHECK_SECONDS",
        "DISK_FLOOR_GB",
        "CACHE_RETENTION_DAYS",
        "QUEUE_HIGH",
        "QUEUE_LOW",
        "DEFAULT_UNBAN_WAIT",
        "LOG_FORMAT",
        "LOG_FILE",
        "LOG_FILE_MB",
        "LOG_FILES",
        "REPORT_LANGUAGE",
        "AI_OPS_URL",
        "AI_OPS_API_KEY",
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "ANTHROPIC_BASE_URL",
        "CLAUDE_COMMAND",
        "CLAUDE_ARGS",
        "CLAUDE_FIX_MODE",
        "CLAUDE_MODEL",
        "CLAUDE_TRIAGE_MODEL",
        "CLAUDE_ALLOWED_MODELS",
        "SCRIPTED_ANSWERS",
        "CLAUDE_WALL_SECONDS",
        "CLAUDE_IDLE_SECONDS",
        "SANDBOX",
        "SANDBOX_CPU_SECONDS",
        "SANDBOX_DISK_MB",
        "SANDBOX_FILES",
        "SANDBOX_IMAGE",
        "SANDBOX_MEMORY_MB",
        "SANDBOX_OUTPUT_MB",
        "SANDBOX_PROCESSES",
        "SETUP_NETWORK",
        "TASK_FOLDERS",
        "RETRY_TRIES",
        "RETRY_FIRST_SECONDS",
        "RETRY_LONGEST_SECONDS",
        "EGRESS_ALLOW",
        "REQUIRE_PROOF",
        "MAX_ROUNDS",
        "FUZZY_EDITS",
        "BUG_CASE_REACH",
        "TEST_WALL_SECONDS",
        "BUDGET_USD_PER_RUN",
        "BUDGET_USD_PER_HOUR",
        "BUDGET_USD_PER_DAY",
        "EMAIL_ENABLED",
        "SMTP_SERVER",
        "SMTP_PORT",
        "SMTP_USER",
        "SMTP_PASSWORD",
        "SMTP_TLS",
        "SMTP_CA_FILE",
        "SMTP_SENDER",
        "RECEIVER_EMAIL",
        "MAIL_REVIEWERS",
        "MAIL_DOMAINS",
        "MAIL_BURST",
        "MAIL_BURST_SECONDS",
        "MAIL_DIGEST",
        "MAIL_DIGEST_AT",
        "MAIL_PER_HOUR",
        "MAIL_QUIET_HOURS",
        "MAIL_TIMEZONE",
        "NOTIFY_URLS",
    }
)
"""The names, as they are written in an environment."""

_NOT_IN_FILES = frozenset(TABLES)  # tables
_OURS = ("AGENT_", "AI_OPS_", "ANTHROPIC_", "CLAUDE_", "GITHUB_", "GITLAB_", "SERVER_", "SMTP_")
_NEAR = 0.8


def twin(name: str) -> str:
    """Return the name of a setting's file (``GITHUB_TOKEN_FILE``); empty where there is none."""
    file = f"{name}_FILE"
    return "" if name not in NAMES - _NOT_IN_FILES or file in NAMES else file


def is_known(name: str) -> bool:
    """Whether a name, or the setting whose file it names, is a setting."""
    return name in NAMES or twin(name.removesuffix("_FILE")) == name


def advice(name: str) -> str:
    """Return what an unknown name was probably meant to be, in its own case; empty: another program's.

    A ``.env`` may be shared, with Docker Compose for example, so a stranger there is no mistake.
    """
    from difflib import get_close_matches  # rarely needed; the agent's installation has nothing quicker

    upper, as_written = name.upper(), str.lower if name.islower() else str
    known = NAMES | {file for each in NAMES if (file := twin(each))}
    if near := get_close_matches(upper, sorted(known), n=1, cutoff=_NEAR):
        return f"Did you mean {as_written(near[0])}?"
    family = next((prefix for prefix in _OURS if upper.startswith(prefix)), "")
    if not family:
        return ""
    ours = ", ".join(as_written(each) for each in sorted(NAMES) if each.startswith(family))
    return f"The settings that begin with {as_written(family)} are {ours}."
