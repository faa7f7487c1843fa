"""What PyGithub's exceptions mean, as named failures. They go no further than this."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import github
import requests

from ai_ops.errors import AiOpsError, PermanentError, TemporaryError

# What a call can end in. PyGithub lets ``requests``' errors through, raises RuntimeError for a
# redirect elsewhere, and stumbles over an answer of another shape in Python's own ways.
VENDOR_ERRORS = (
    github.GithubException,
    github.BadAttributeException,
    requests.RequestException,
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
)

_BY_STATUS = {
    401: ("host_unauthorized", "Check GITHUB_TOKEN: is it set, valid, and of this host?"),
    403: ("host_forbidden", "Give the token read and write access to the repository's pull requests."),
    404: ("host_not_found", "Check the repository's address and that the token may see it."),
    409: ("host_conflict", "Something changed meanwhile; look at the pull request."),
    422: ("host_rejected", "GitHub's own words are in the message."),
}
_WORDS = 500  # characters of GitHub's own words in a message


def named(error: Exception) -> AiOpsError:
    """Return the failure that an exception out of a PyGithub call means."""
    if isinstance(error, github.GithubException) and error.status:
        headers = {key.lower(): str(value) for key, value in (error.headers or {}).items()}
        return _from_status(error.status, headers, _words(error.data))
    if isinstance(error, requests.RequestException):
        return TemporaryError(
            "host_unavailable",
            f"GitHub cannot be reached: {type(error).__name__}",
            next_step="It is tried again; check GITHUB_BASE_URL when it lasts.",
        )
    return PermanentError(
        "host_bad_answer",
        f"GitHub's answer could not be read: {type(error).__name__}",
        next_step="Check that GITHUB_BASE_URL is the root of a GitHub API.",
    )


def _from_status(status: int, headers: Mapping[str, str], words: str) -> AiOpsError:
    message = f"GitHub answered {status}: {words}"
    if status == 429 or (status == 403 and _is_rate_limit(headers, words)):
        return TemporaryError(
            "host_rate_limited", message, next_step="It waits, then goes on.", delay=_delay(headers)
        )
    if status >= 500 or status == 408:
        return TemporaryError(
            "host_unavailable", message, next_step="It is tried again.", delay=_delay(headers)
        )
    if status in _BY_STATUS:
        code, next_step = _BY_STATUS[status]
        return PermanentError(code, message, next_step=next_step)
    return PermanentError("host_bad_answer", message, next_step="Check GITHUB_BASE_URL.")


def _is_rate_limit(headers: Mapping[str, str], words: str) -> bool:
    return (
        "retry-after" in headers
        or headers.get("x-ratelimit-remaining") == "0"
        or "rate limit" in words.lower()
    )


def _delay(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the host wants us to wait, at most a day."""
    try:
        if "retry-after" in headers:
            seconds = float(headers["retry-after"])
        elif headers.get("x-ratelimit-remaining") == "0":
            seconds = float(headers["x-ratelimit-reset"]) - time.time()
        else:
            return None
    except (KeyError, ValueError):
        return None
    return min(max(seconds, 0.0), 86400.0)


def _words(data: Any) -> str:
    """Return the message of an error body with its details, printable and short."""
    if not isinstance(data, dict):
        return "no explanation"
    parts = [str(data.get("message") or "no explanation")]
    errors = data.get("errors")
    for detail in errors if isinstance(errors, list) else []:
        if isinstance(detail, dict):
            detail = detail.get("message") or f"{detail.get('field')} {detail.get('code')}"
        parts.append(str(detail))
    line = " ".join("; ".join(parts).split())
    return "".join(c for c in line if c.isprintable())[:_WORDS]
