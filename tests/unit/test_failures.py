"""The ways a model call fails, by what is seen of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ai_ops.core.model_failures import (
    CODES,
    ApiFailure,
    CliEnd,
    CliFacts,
    classify,
    failure,
    reset_from_words,
)
from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.flow.report import RunEnd

NOW = datetime(2026, 11, 25, 11, 37, tzinfo=UTC)
EPOCH = NOW.timestamp()


def failed(**seen: object) -> CliFacts:
    """A result as the CLI gives it for a failed API call: success by its subtype, an error by its flag."""
    base = {"return_code": 1, "is_error": True, "subtype": "success", "terminal_reason": "api_error"}
    return CliFacts(**{**base, **seen})  # type: ignore[arg-type]


def stopped(**seen: object) -> CliFacts:
    """A stream that ended without a result."""
    return CliFacts(**{"has_result": False, **seen})  # type: ignore[arg-type]


def api(status: int | None, kind: str, message: str = "", **more: object) -> CliFacts:
    """What the gateway saw, and an error result after it."""
    return failed(api_failure=ApiFailure(status, kind, message, **more))  # type: ignore[arg-type]


TABLE = {
    # the gateway's view comes first
    "401 at the API": (api(401, "authentication_error"), "model_auth_failed", None),
    "403 at the API": (api(403, "permission_error"), "model_auth_failed", None),
    "429 at the API": (api(429, "rate_limit_error"), "model_rate_limited", None),
    "429 with retry-after": (api(429, "rate_limit_error", retry_after=7.0), "model_rate_limited", 7.0),
    "429 with a reset time": (api(429, "rate_limit_error", reset_at=EPOCH + 30), "model_rate_limited", 30.0),
    "5-hour limit at the API": (
        api(429, "rate_limit_error", limit="five_hour", reset_at=EPOCH + 900, retry_after=60.0),
        "model_session_limit",
        900.0,
    ),
    "weekly limit without a time": (
        api(429, "rate_limit_error", limit="seven_day"),
        "model_weekly_limit",
        None,
    ),
    "weekly limit of one model": (
        api(429, "rate_limit_error", limit="seven_day_opus", reset_at=EPOCH + 900),
        "model_weekly_limit",
        900.0,
    ),
    "the account's own limit at the API": (
        api(
            400,
            "invalid_request_error",
            "You have reached your specified API usage limits. "
            "You will regain access on 2026-11-26 at 00:00 UTC.",
        ),
        "model_quota_exhausted",
        12 * 3600.0 + 23 * 60,
    ),
    "a spending limit of an organisation": (
        api(402, "billing_error", "spend limit reached · resets Nov 26"),
        "model_quota_exhausted",
        12 * 3600.0 + 23 * 60,
    ),
    "a proxy's quota": (
        api(429, "insufficient_quota", "You exceeded your current quota"),
        "model_quota_exhausted",
        None,
    ),
    "weekly limit in words": (
        failed(result="You've hit your weekly limit · resets Nov 27, 1pm (Europe/Berlin)"),
        "model_weekly_limit",
        2 * 24 * 3600.0 + 23 * 60,
    ),
    "weekly limit as an event": (
        failed(limit_type="seven_day", limit_reset_at=EPOCH + 120),
        "model_weekly_limit",
        120.0,
    ),
    "quota in words": (failed(result="You're out of usage credits"), "model_quota_exhausted", None),
    "credit balance at the API": (
        api(400, "invalid_request_error", "Your credit balance is too low"),
        "model_credit_exhausted",
        None,
    ),
    "402 at the API": (api(402, "billing_error"), "model_credit_exhausted", None),
    "529 at the API": (api(529, "overloaded_error"), "model_overloaded", None),
    "overloaded inside a stream": (api(200, "overloaded_error"), "model_overloaded", None),
    "500 at the API": (api(500, "api_error"), "model_overloaded", None),
    "API refused or DNS": (api(None, "connection", "ClientConnectorError"), "model_unreachable", None),
    "API timed out": (api(None, "timeout"), "model_unreachable", None),
    "404 at the API": (api(404, "not_found_error"), "model_not_found", None),
    "model not allowed here": (api(404, "model_not_allowed"), "model_not_found", None),
    "prompt too long at the API": (
        api(400, "invalid_request_error", "prompt is too long: 250000 tokens"),
        "model_prompt_too_long",
        None,
    ),
    "413 at the API": (api(413, "request_too_large"), "model_prompt_too_long", None),
    "unknown 400": (api(400, "invalid_request_error", "what?"), "model_failed", None),
    # the CLI's fields and words are the fallback
    "401 in the result": (
        failed(api_error_status=401, assistant_error="authentication_failed"),
        "model_auth_failed",
        None,
    ),
    "not logged in": (failed(result="Not logged in · Please run /login"), "model_auth_failed", None),
    "429 in the result": (
        failed(api_error_status=429, assistant_error="rate_limit"),
        "model_rate_limited",
        None,
    ),
    "5-hour limit in words": (
        failed(result="You've hit your 5-hour limit · resets 12:37pm (UTC)"),
        "model_session_limit",
        3600.0,
    ),
    "rejected rate-limit event": (
        failed(limit_type="five_hour", limit_reset_at=EPOCH + 120),
        "model_session_limit",
        120.0,
    ),
    "old limit text with exit code 0": (
        CliFacts(text=f"Claude AI usage limit reached|{int(EPOCH) + 60}"),
        "model_session_limit",
        60.0,
    ),
    "credit balance in words": (
        failed(api_error_status=400, result="Credit balance is too low"),
        "model_credit_exhausted",
        None,
    ),
    "529 in the result": (
        failed(api_error_status=529, assistant_error="server_error"),
        "model_overloaded",
        None,
    ),
    "refused in words": (failed(result="API Error: (ECONNREFUSED)"), "model_unreachable", None),
    "no such host in words": (failed(result="API Error: getaddrinfo ENOTFOUND"), "model_unreachable", None),
    "timed out in words": (failed(result="Request timed out"), "model_unreachable", None),
    "cut in words": (failed(result="Connection was lost (ECONNRESET)"), "model_unreachable", None),
    "404 in the result": (failed(api_error_status=404), "model_not_found", None),
    "prompt too long by reason": (failed(terminal_reason="prompt_too_long"), "model_prompt_too_long", None),
    "context window by words": (
        failed(
            assistant_error="max_output_tokens",
            result="API Error: The model has reached its context window limit.",
        ),
        "model_prompt_too_long",
        None,
    ),
    "blocking limit": (failed(terminal_reason="blocking_limit"), "model_prompt_too_long", None),
    "refusal": (failed(stop_reason="refusal"), "model_refused", None),
    "refusal with exit code 0": (CliFacts(stop_reason="refusal", text="no"), "model_refused", None),
    "output limit in the result": (failed(assistant_error="max_output_tokens"), "model_max_tokens", None),
    "output limit with exit code 0": (
        CliFacts(stop_reason="max_tokens", text="half"),
        "model_max_tokens",
        None,
    ),
    "turns spent": (
        failed(subtype="error_max_turns", terminal_reason="max_turns"),
        "model_turns_spent",
        None,
    ),
    "the CLI's budget": (failed(subtype="error_max_budget_usd"), "budget_spent", None),
    "the gateway's budget": (
        failed(api_error_status=400, result="API Error: 400", refused=failure("budget_spent")),
        "budget_spent",
        None,
    ),
    "the gateway's budget, then silence": (
        stopped(return_code=1, refused=failure("budget_spent")),
        "budget_spent",
        None,
    ),
    "the hour's budget": (
        failed(api_error_status=400, refused=failure("hourly_budget_spent", delay=900.0)),
        "hourly_budget_spent",
        900.0,
    ),
    "the gateway's own tables": (
        failed(refused=TemporaryError("storage_unavailable", "locked", next_step="Wait.", delay=5.0)),
        "storage_unavailable",
        5.0,
    ),
    "schema never met": (
        failed(subtype="error_max_structured_output_retries"),
        "model_schema_unmet",
        None,
    ),
    "schema ignored": (
        CliFacts(text="prose", schema_wanted=True, output_tokens=3),
        "model_schema_unmet",
        None,
    ),
    "empty answer": (CliFacts(text=" \n", output_tokens=1), "model_empty_answer", None),
    "write denied": (
        CliFacts(text="sorry", denied=("Write",), writes=True, output_tokens=9),
        "model_tool_denied",
        None,
    ),
    "SIGKILL": (stopped(return_code=-9), "model_killed", None),
    "SIGKILL inside the sandbox": (stopped(return_code=137), "model_killed", None),
    "SIGTERM": (stopped(return_code=143), "model_killed", None),
    "SIGINT, with a result": (CliFacts(terminal_reason="aborted_streaming", text="h"), "model_killed", None),
    "SIGINT, without one": (stopped(return_code=0), "model_killed", None),
    "idle": (stopped(end=CliEnd.IDLE_TIMEOUT, return_code=-9), "model_hung", None),
    "too much": (
        stopped(end=CliEnd.OVER_LIMIT, excess=RunEnd.MEMORY_LIMIT, return_code=-9),
        "model_over_limits",
        None,
    ),
    "too long": (stopped(end=CliEnd.WALL_TIMEOUT, return_code=-9), "model_hung", None),
    "bad flag": (stopped(return_code=1, stderr="error: unknown option '--foo'"), "model_bad_flag", None),
    "unknown resume": (
        stopped(return_code=1, stderr="No conversation found with session ID: x"),
        "model_bad_flag",
        None,
    ),
    "a crash": (stopped(return_code=1, stderr="Segmentation fault"), "model_failed", None),
    "an unknown error": (failed(result="something new"), "model_failed", None),
}


@pytest.mark.parametrize(("facts", "code", "delay"), TABLE.values(), ids=TABLE.keys())
def test_a_failure_has_its_name(facts: CliFacts, code: str, delay: float | None) -> None:
    error = classify(facts, NOW)
    assert error is not None
    assert (error.code, getattr(error, "delay", None)) == (code, delay)
    assert error.next_step


NOT_FOUND = "No conversation found with session ID: 1"
LOST = {
    "not found": stopped(return_code=1, stderr=NOT_FOUND),
    "another word for it": stopped(return_code=1, stderr="that session is of a newer version"),
    "refused by the API": api(400, "invalid_request_error", "messages.3: unexpected role"),
    "too long": api(400, "invalid_request_error", "prompt is too long: 250000 tokens"),
}
NOT_LOST = {
    "the API is away": (api(None, "connection"), "model_unreachable"),
    "a limit": (api(429, "rate_limit_error"), "model_rate_limited"),
    "a refusal": (failed(stop_reason="refusal"), "model_refused"),
    "killed": (stopped(return_code=-9), "model_killed"),
    "too long after its first word": (
        failed(terminal_reason="prompt_too_long", output_tokens=5),
        "model_prompt_too_long",
    ),
    "the budget": (failed(refused=failure("budget_spent")), "budget_spent"),
}


@pytest.mark.parametrize("facts", LOST.values(), ids=LOST.keys())
def test_a_session_is_lost_where_it_may_be_why_the_call_failed(facts: CliFacts) -> None:
    error = classify(replace(facts, resumed=True), NOW)
    assert isinstance(error, PermanentError)
    assert error.code == "model_session_lost"
    alone = classify(facts, NOW)
    assert alone is not None
    assert alone.message in error.message
    assert alone.code != error.code


@pytest.mark.parametrize(("facts", "code"), NOT_LOST.values(), ids=NOT_LOST.keys())
def test_a_session_is_not_lost_where_something_else_failed(facts: CliFacts, code: str) -> None:
    error = classify(replace(facts, resumed=True), NOW)
    assert error is not None
    assert error.code == code


GOOD = {
    "a plain answer": CliFacts(text="done", output_tokens=5),
    "a denial that was got round": CliFacts(
        text="x", denied=("Write",), writes=True, wrote=True, output_tokens=5
    ),
    "a denial where nothing had to be written": CliFacts(text="x", denied=("Write",), output_tokens=5),
    "a model that talks about limits": CliFacts(text="You've hit your 5-hour limit", output_tokens=5),
    "a failure of the API that was got over": CliFacts(
        text="x", output_tokens=5, api_failure=ApiFailure(529, "overloaded_error")
    ),
    "a budget that was just enough": CliFacts(text="x", output_tokens=5, refused=failure("budget_spent")),
}


@pytest.mark.parametrize("facts", GOOD.values(), ids=GOOD.keys())
def test_an_answer_is_no_failure(facts: CliFacts) -> None:
    assert classify(facts, NOW) is None


def test_every_code_has_words_and_a_next_step() -> None:
    for code in CODES:
        error = failure(code, "detail\n with  space")
        assert isinstance(error, TemporaryError | PermanentError)
        assert error.message.endswith("(detail with space)")
        assert error.next_step


def test_a_wait_is_never_longer_than_the_longest_window() -> None:
    error = failure("model_session_limit", delay=1e9)
    assert isinstance(error, TemporaryError)
    assert error.delay == 8 * 24 * 3600


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("limit · resets 12:37pm (UTC)", 3600.0),
        ("limit · resets 11:36am (UTC)", 24 * 3600.0 - 60),
        ("limit · resets 12am (UTC)", 12 * 3600.0 + 23 * 60),
        ("limit · resets 3:99pm (UTC)", None),
        ("limit reached|1", None),
        ("limit · resets Nov 26, 1pm (UTC)", 24 * 3600.0 + 3600 + 23 * 60),
        ("limit · resets Nov 25 at 12:37pm (UTC)", 3600.0),
        ("limit · resets Jan 1", 36 * 24 * 3600.0 + 12 * 3600 + 23 * 60),
        ("limit · resets Nov 25, 2026, 1:37pm (Europe/Berlin)", 3600.0),
        ("limit · resets 1:37pm (Europe/Berlin)", 3600.0),
        ("limit · resets 1:37pm (Middle/Earth)", None),
        ("limit · resets Jun 31", None),
        ("limit · resets Foo 3", None),
        ("no time here", None),
    ],
)
def test_a_reset_in_words_becomes_seconds(words: str, seconds: float | None) -> None:
    assert reset_from_words(words, NOW) == seconds
