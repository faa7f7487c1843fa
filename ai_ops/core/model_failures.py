"""Names the ways a model call can fail, from the facts of one CLI run.

The CLI tells little by its exit code: a failed API call ends as ``subtype: success``, some failures end
with 0. So the order is: what our own limits and the gateway saw, then the fields of the result, then the
CLI's words. Pure: the adapter collects the facts, ``classify`` names the failure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from ai_ops.core.failures import CATALOGUE, MODEL_CODES, failed
from ai_ops.core.limit_words import is_quota, reset_from_words, window_code
from ai_ops.errors import AiOpsError
from ai_ops.flow.report import RunEnd

CODES: Final = MODEL_CODES
"""Every code that a fixer may fail with."""

_LONGEST_WAIT_SECONDS: Final = 8 * 24 * 3600.0  # the longest window is a week
_WORDS: Final = 300


class CliEnd(StrEnum):
    """How the CLI came to its end."""

    EXITED = "exited"
    WALL_TIMEOUT = "wall_timeout"
    IDLE_TIMEOUT = "idle_timeout"
    OVER_LIMIT = "over_limit"


@dataclass(frozen=True, slots=True)
class ApiFailure:
    """The last failure of the model's API that the gateway saw.

    ``status`` is None when there was no answer; ``kind`` is the API's ``error.type``, or ``connection``,
    ``timeout``, ``model_not_allowed``. ``retry_after`` is in seconds, ``reset_at`` an epoch; ``limit`` is
    the spent window of a subscription (``five_hour``, ``seven_day``, …), empty otherwise.
    """

    status: int | None
    kind: str
    message: str = ""
    retry_after: float | None = None
    reset_at: float | None = None
    limit: str = ""


@dataclass(frozen=True, slots=True)
class CliFacts:
    """What was seen of one CLI run, by the CLI's own field names where it has them.

    ``text`` is all text of the assistant; ``result`` the result's text. ``has_result`` says whether a
    result came at all. ``denied`` are the writing tools whose use was denied, ``wrote`` whether a file
    was written. ``output_tokens`` is the gateway's count. ``limit_*`` come from a rejected rate-limit event.
    ``refused`` is why our own gateway did not let a call through, ``resumed`` says that the call went on
    with a session, ``excess`` which limit of the sandbox was passed.
    """

    end: CliEnd = CliEnd.EXITED
    return_code: int | None = 0
    has_result: bool = True
    is_error: bool = False
    subtype: str = ""
    terminal_reason: str = ""
    stop_reason: str = ""
    api_error_status: int | None = None
    assistant_error: str = ""
    result: str = ""
    errors: tuple[str, ...] = ()
    stderr: str = ""
    text: str = ""
    denied: tuple[str, ...] = ()
    writes: bool = False
    wrote: bool = False
    schema_wanted: bool = False
    schema_met: bool = False
    output_tokens: int = 0
    limit_type: str = ""
    limit_reset_at: float | None = None
    api_failure: ApiFailure | None = None
    refused: AiOpsError | None = None
    resumed: bool = False
    excess: RunEnd | None = None


def failure(code: str, detail: str = "", *, delay: float | None = None) -> AiOpsError:
    """Return the error of a failure of the model; ``detail`` is appended to the catalogue's words."""
    detail = " ".join(detail.split())[:_WORDS]
    words = CATALOGUE[code].words
    wait = None if delay is None else min(max(delay, 0.0), _LONGEST_WAIT_SECONDS)
    return failed(code, f"{words} ({detail})" if detail else words, delay=wait)


def classify(facts: CliFacts, now: datetime) -> AiOpsError | None:
    """Name the failure of a run, or return None when it succeeded."""
    error = _named(facts, now)
    # Before the model's first word nothing was changed yet, and another session may do better.
    if error is not None and facts.resumed and not facts.output_tokens and error.code in _MAY_BE_ITS_SESSION:
        return failure("model_session_lost", error.message)
    return error


_MAY_BE_ITS_SESSION: Final = frozenset({"model_bad_flag", "model_failed", "model_prompt_too_long"})


def _named(facts: CliFacts, now: datetime) -> AiOpsError | None:
    words = facts.result or "; ".join(facts.errors) or facts.stderr.strip()
    if facts.refused is not None and (facts.is_error or not facts.has_result):
        return facts.refused
    if facts.end is CliEnd.OVER_LIMIT:
        return failure("model_over_limits", (facts.excess or RunEnd.EXITED).replace("_", " "))
    if facts.end in _LATE:
        return failure("model_hung", _LATE[facts.end])
    if not facts.has_result:
        return _without_result(facts, now)
    if facts.is_error:
        return _from_error_result(facts, words, now)
    return _from_good_result(facts, now)


_LATE: Final = {
    CliEnd.WALL_TIMEOUT: "it took longer than it may",
    CliEnd.IDLE_TIMEOUT: "no sign of life",
}


def _without_result(facts: CliFacts, now: datetime) -> AiOpsError:
    """Name a stream that stopped: killed, or the CLI complained and left before it began."""
    if facts.api_failure is not None and facts.return_code not in _SIGNALLED:
        return from_api(facts.api_failure, now)
    if facts.return_code == 0 or facts.return_code in _SIGNALLED or facts.return_code is None:
        return failure("model_killed", f"exit code {facts.return_code}")
    if _BAD_FLAG.search(facts.stderr):
        return failure("model_bad_flag", facts.stderr)
    return failure("model_failed", facts.stderr or f"exit code {facts.return_code}")


_SIGNALLED: Final = frozenset({-9, -15, -2, 129, 130, 137, 143})
_BAD_FLAG = re.compile(
    r"unknown option|error: option|argument .* is invalid|missing required argument|"
    r"No conversation found|Invalid session|--[a-z-]+ .*(?:must|requires|cannot)",
    re.IGNORECASE,
)

_BY_SUBTYPE: Final = {
    "error_max_turns": "model_turns_spent",
    "error_max_budget_usd": "budget_spent",
    "error_max_structured_output_retries": "model_schema_unmet",
}
_BY_REASON: Final = {
    "max_turns": "model_turns_spent",
    "prompt_too_long": "model_prompt_too_long",
    "blocking_limit": "model_prompt_too_long",
    "aborted_streaming": "model_killed",
    "aborted_tools": "model_killed",
}
_BY_STOP: Final = {
    "refusal": "model_refused",
    "max_tokens": "model_max_tokens",
    "model_context_window_exceeded": "model_prompt_too_long",
}
_BY_ASSISTANT: Final = {
    "authentication_failed": "model_auth_failed",
    "oauth_org_not_allowed": "model_auth_failed",
    "billing_error": "model_credit_exhausted",
    "rate_limit": "model_rate_limited",
    "overloaded": "model_overloaded",
    "server_error": "model_overloaded",
    "model_not_found": "model_not_found",
    "max_output_tokens": "model_max_tokens",
}
# The CLI's own words, the last resort. Only ever matched against text that the CLI wrote.
_BY_WORDS: Final = (
    (re.compile(r"credit balance is too low", re.I), "model_credit_exhausted"),
    (
        re.compile(r"specified API usage limits|spend limit|out of usage credits", re.I),
        "model_quota_exhausted",
    ),
    (re.compile(r"(?:prompt|input) is too long|context window limit", re.I), "model_prompt_too_long"),
    (re.compile(r"hit your .*limit|limit reached", re.I), "model_session_limit"),
    (re.compile(r"not logged in|invalid api key|please run /login|oauth token", re.I), "model_auth_failed"),
    (re.compile(r"output token maximum|max_?output_?tokens", re.I), "model_max_tokens"),
    (re.compile(r"usage policy|safeguards flagged|legal/aup", re.I), "model_refused"),
    (re.compile(r"issue with the selected model|model_not_found", re.I), "model_not_found"),
    (
        re.compile(r"ECONN|ENOTFOUND|EAI_AGAIN|timed out|unable to connect|connection error|socket", re.I),
        "model_unreachable",
    ),
    (re.compile(r"overloaded", re.I), "model_overloaded"),
)


def _from_error_result(facts: CliFacts, words: str, now: datetime) -> AiOpsError:
    code = _BY_SUBTYPE.get(facts.subtype) or _BY_REASON.get(facts.terminal_reason)
    if code:
        return failure(code, words)
    if facts.api_failure is not None:
        return from_api(facts.api_failure, now)
    if facts.limit_type or (facts.limit_reset_at is not None):
        delay = _until(facts.limit_reset_at, now)
        return failure(window_code(f"{facts.limit_type} {words}"), words, delay=delay)
    code = _BY_STOP.get(facts.stop_reason)
    if code:
        return failure(code, words)
    code = next((code for pattern, code in _BY_WORDS if pattern.search(words)), "")
    if code == "model_session_limit":
        return failure(window_code(words), words, delay=reset_from_words(words, now))
    if code == "model_quota_exhausted":
        return failure(code, words, delay=reset_from_words(words, now))
    code = code or _BY_ASSISTANT.get(facts.assistant_error, "") or _by_status(facts.api_error_status)
    return failure(code or "model_failed", words)


def _from_good_result(facts: CliFacts, now: datetime) -> AiOpsError | None:
    """Look behind a result that says success."""
    text = facts.text.strip()
    # A limit in words counts only when no model wrote them: a log could make a model say this.
    if facts.output_tokens == 0 and _LIMIT_WORDS.fullmatch(text):
        return failure(window_code(text), text, delay=reset_from_words(text, now))
    if facts.terminal_reason in ("aborted_streaming", "aborted_tools"):
        return failure("model_killed", facts.terminal_reason)
    if facts.stop_reason in _BY_STOP:
        return failure(_BY_STOP[facts.stop_reason], facts.result)
    if facts.writes and facts.denied and not facts.wrote:
        return failure("model_tool_denied", ", ".join(facts.denied))
    if facts.schema_wanted and not facts.schema_met:
        return failure("model_schema_unmet")
    if not text:
        return failure("model_empty_answer")
    return None


def from_api(seen: ApiFailure, now: datetime) -> AiOpsError:
    """Name a failure of the API as the gateway saw it."""
    code = _by_api_kind(seen) or _by_status(seen.status) or "model_failed"
    waits = [seen.retry_after, _until(seen.reset_at, now)]
    if code == "model_quota_exhausted":
        waits.append(reset_from_words(seen.message, now))
    if seen.limit:  # a window's end is the better word: the other may only ask for a pause
        waits.reverse()
    delay = next((wait for wait in waits if wait is not None), None)
    detail = f"{seen.status} {seen.message}" if seen.status else seen.message
    return failure(code, detail, delay=delay)


def _by_api_kind(seen: ApiFailure) -> str:
    if seen.kind in ("connection", "timeout"):
        return "model_unreachable"
    if seen.kind == "model_not_allowed":
        return "model_not_found"
    if seen.limit:
        return window_code(seen.limit)
    if seen.status in (400, 402, 403, 429) and is_quota(seen.message):
        return "model_quota_exhausted"
    if seen.status in (400, 402, 403, 413, 422):
        words = seen.message.lower()
        if "credit balance" in words or seen.kind == "billing_error":
            return "model_credit_exhausted"
        if "too long" in words or "exceed context" in words or seen.kind == "request_too_large":
            return "model_prompt_too_long"
    if seen.kind == "overloaded_error":  # may arrive inside a stream that began with 200
        return "model_overloaded"
    return "model_rate_limited" if seen.kind == "rate_limit_error" else ""


def _by_status(status: int | None) -> str:
    if status is None:
        return ""
    if status >= 500:
        return "model_overloaded"
    return {
        401: "model_auth_failed",
        402: "model_credit_exhausted",
        403: "model_auth_failed",
        404: "model_not_found",
        408: "model_unreachable",
        413: "model_prompt_too_long",
        429: "model_rate_limited",
    }.get(status, "")


_LIMIT_WORDS = re.compile(
    r"(?:You've hit your [^\n]{0,60}limit[^\n]{0,80}|[^\n|]{0,60}limit reached(?:\|\d{9,11})?)", re.IGNORECASE
)


def _until(epoch: float | None, now: datetime) -> float | None:
    return None if epoch is None else max(0.0, epoch - now.timestamp())
