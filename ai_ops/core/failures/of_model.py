"""Failures of the model's API, of Claude's CLI, and of the money for them."""

from __future__ import annotations

from typing import Final

from ai_ops.core.failures.row import P1, P2, P3, Failure, Kind, Recovery, rows

ROWS: Final[tuple[Failure, ...]] = (
    *rows(
        Kind.PERMISSION,
        Recovery.PERSON,
        P1,
        {
            "model_auth_failed": (
                "The model's API did not accept the credential.",
                "Set a valid ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN or CLAUDE_CODE_OAUTH_TOKEN; `ai-ops "
                "doctor` checks it.",
            ),
        },
    ),
    *rows(
        Kind.SERVICE,
        Recovery.PAUSE,
        P3,
        {
            "model_rate_limited": (
                "The model's API limits the rate of requests.",
                "Nothing to do: it goes on after the wait.",
            ),
            "model_overloaded": (
                "The model's API is overloaded or broken.",
                "Nothing to do: it is tried again.",
            ),
        },
    ),
    *rows(
        Kind.SERVICE,
        Recovery.RESET,
        P3,
        {
            "model_session_limit": (
                "The subscription's usage limit is reached.",
                "Nothing to do: it goes on after the reset. To go on at once, use an API key.",
            ),
        },
    ),
    *rows(
        Kind.SERVICE,
        Recovery.RESET,
        P2,
        {
            "model_weekly_limit": (
                "The subscription's weekly limit is reached.",
                "Nothing to do: it goes on after the reset. To go on at once, use an API key.",
            ),
            "model_quota_exhausted": (
                "The limit on spending that the account has set is reached.",
                "Raise the account's limit, then `ai-ops system resume`; or wait for the reset.",
            ),
        },
    ),
    *rows(
        Kind.SERVICE,
        Recovery.RESET,
        P1,
        {
            "model_credit_exhausted": (
                "The account has no credit left.",
                "Add credit to the account, then `ai-ops system resume`; or wait for the next probe.",
            ),
        },
    ),
    *rows(
        Kind.NETWORK,
        Recovery.AGAIN,
        P2,
        {
            "model_unreachable": (
                "The model's API cannot be reached.",
                "Check ANTHROPIC_BASE_URL, DNS, the proxy and the firewall of the server.",
            ),
        },
    ),
    *rows(
        Kind.INPUT,
        Recovery.PERSON,
        P2,
        {
            "model_not_found": (
                "The model does not exist or may not be used.",
                "Check CLAUDE_MODEL, CLAUDE_TRIAGE_MODEL and CLAUDE_ALLOWED_MODELS, and what the account "
                "may use.",
            ),
            "model_bad_flag": (
                "The Claude CLI did not accept its flags.",
                "Check CLAUDE_ARGS and the CLI's version.",
            ),
        },
    ),
    *rows(
        Kind.INPUT,
        Recovery.PERSON,
        P3,
        {
            "model_prompt_too_long": (
                "The prompt is longer than the model takes.",
                "Use CLAUDE_FIX_MODE=agentic, or a model with a larger window.",
            ),
        },
    ),
    *rows(
        Kind.SERVICE,
        Recovery.PERSON,
        P3,
        {
            "model_refused": (
                "The model refused to answer.",
                "Read the prompt in the trace; repair this one by hand.",
            ),
            "model_max_tokens": (
                "The answer was cut at the model's output limit.",
                "Use CLAUDE_FIX_MODE=agentic for this one.",
            ),
            "model_turns_spent": (
                "The model used all its turns without an end.",
                "Raise --max-turns in CLAUDE_ARGS, and retry.",
            ),
            "budget_spent": (
                "The budget does not cover a further model call.",
                "Raise BUDGET_USD_PER_RUN (or the task's budget_usd), and retry.",
            ),
            "model_schema_unmet": (
                "The answer never had the shape that was asked for.",
                "Retry, or use a stronger model.",
            ),
        },
    ),
    *rows(
        Kind.SERVICE,
        Recovery.MONEY,
        P3,
        {
            "hourly_budget_spent": (
                "The money of all runs for this hour is spent.",
                "Nothing to do: it goes on with the next hour. Or raise BUDGET_USD_PER_HOUR.",
            ),
        },
        delay=3600.0,
    ),
    *rows(
        Kind.SERVICE,
        Recovery.MONEY,
        P2,
        {
            "daily_budget_spent": (
                "The money of all runs for this day is spent.",
                "Nothing to do: it goes on with the next day. Or raise BUDGET_USD_PER_DAY.",
            ),
        },
        delay=3600.0,
    ),
    *rows(
        Kind.SERVICE,
        Recovery.AGAIN,
        P3,
        {
            "model_empty_answer": ("The model answered nothing.", "Nothing to do: it is asked again."),
        },
    ),
    *rows(
        Kind.PERMISSION,
        Recovery.PERSON,
        P3,
        {
            "model_tool_denied": (
                "The model was not allowed to write, and wrote nothing.",
                "Read the denied tool uses in the trace; the path may be protected.",
            ),
        },
    ),
    *rows(
        Kind.PROCESS,
        Recovery.AGAIN,
        P3,
        {
            "model_killed": (
                "The Claude CLI was killed.",
                "Nothing to do: it is tried again. Check memory if it repeats.",
            ),
            "model_hung": (
                "The Claude CLI passed its time limit.",
                "Nothing to do: it is tried again. See CLAUDE_WALL_SECONDS and CLAUDE_IDLE_SECONDS if it "
                "repeats.",
            ),
            "model_failed": (
                "The Claude CLI failed in a way that has no name yet.",
                "Read the step in the trace.",
            ),
        },
    ),
    *rows(
        Kind.MEMORY,
        Recovery.PERSON,
        P3,
        {
            "model_over_limits": (
                "The Claude CLI used more than a sandbox may, and was stopped.",
                "Raise the SANDBOX_… limit that is named, and retry.",
            ),
        },
    ),
    *rows(
        Kind.PROCESS,
        Recovery.PERSON,
        P1,
        {
            "model_cli_missing": (
                "The Claude CLI is not there.",
                "Leave CLAUDE_COMMAND empty for the bundled one, or set it to the program's path.",
            ),
            "model_cli_outdated": (
                "The Claude CLI is too old to be confined.",
                "Leave CLAUDE_COMMAND empty, or update the CLI.",
            ),
        },
    ),
    *rows(
        Kind.SERVICE,
        Recovery.ANEW,
        P3,
        {
            "model_session_lost": (
                "The session of the round before cannot be gone on with.",
                "Nothing to do: a new session is begun, with what was found.",
            ),
        },
    ),
)
