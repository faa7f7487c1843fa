"""What an answer of a code host means, as a named failure: the same rules for GitHub and GitLab. Pure.

The vendors' exceptions are read beside their adapters; here is what they share: status, headers, words.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from ai_ops.core.failures import failed
from ai_ops.core.failures.way import part_of_the_way
from ai_ops.errors import AiOpsError

WORDS = 500  # characters of a host's own words in a message
_LONGEST_WAIT = 86400.0  # seconds
_UNTOLD_WAIT = 60.0  # seconds: what GitHub asks for where a limit does not say how long it lasts


@dataclass(frozen=True, slots=True)
class HostNames:
    """What people call a host, and the settings that mend its failures. ``access`` is what a token needs."""

    name: str
    token: str
    base_url: str
    access: str


_ARCHIVED = re.compile(r"archived|read-only", re.IGNORECASE)
_SCOPE = re.compile(
    r"insufficient[_ ]scope|not accessible by (integration|personal access token)|"
    r"requires? .{0,40}\b(scope|permission)s?\b|must have .{0,40}\bscope",
    re.IGNORECASE,
)
_EMPTY = re.compile(r"repository is empty|empty repository", re.IGNORECASE)


def from_status(host: HostNames, status: int, headers: Mapping[str, str], words: str) -> AiOpsError:
    """Return the failure that an answer means.

    Args:
        host: whose answer it is.
        status: of HTTP, 400 or above.
        headers: their names in lower case.
        words: the host's own, printable.
    """
    message = f"{host.name} answered {status}: {words[:WORDS]}"
    if status == 429 or (status == 403 and _is_rate_limit(headers, words)):
        step = "It waits as long as the host says, then goes on."
        delay = _delay(headers)
        delay = _UNTOLD_WAIT if delay is None else delay
        return failed("host_rate_limited", message, next_step=step, delay=delay)
    if status >= 500 or status == 408:
        step = "It is tried again."
        return failed("host_unavailable", message, next_step=step, delay=_delay(headers))
    code, step = _refusal(host, status, headers, words)
    return failed(code, message, next_step=step)


def unreachable(host: HostNames, error: Exception) -> AiOpsError:
    """Return the failure of a request that got no whole answer."""
    code = part_of_the_way(error, "host_unavailable")
    step = f"It is tried again; check {host.base_url} when it lasts." if code == "host_unavailable" else None
    return failed(code, f"{host.name} cannot be reached: {type(error).__name__}", next_step=step)


def unreadable(host: HostNames, error: Exception) -> AiOpsError:
    """Return the failure of an answer that is none of such a host."""
    return failed(
        "host_bad_answer",
        f"{host.name}'s answer could not be read: {type(error).__name__}",
        next_step=f"Check that {host.base_url} is the root of a {host.name} API.",
    )


def printable(words: str) -> str:
    """Return a host's words on one line, without control characters, short."""
    return "".join(c for c in " ".join(words.split()) if c.isprintable())[:WORDS]


def _refusal(host: HostNames, status: int, headers: Mapping[str, str], words: str) -> tuple[str, str]:
    """Return the code and the next step of a refusal that does not pass by itself."""
    if status == 401:
        return "host_unauthorized", f"Check {host.token}: is it set, valid, not expired, and of this host?"
    if status == 403 and _ARCHIVED.search(words):
        return "host_archived", "The repository is archived; unarchive it, or take it out of ALLOWED_REPOS."
    if status == 403 and (_SCOPE.search(words) or _lacks_scope(headers)):
        wanted = headers.get("x-accepted-oauth-scopes") or headers.get("x-accepted-github-permissions")
        accepted = f" The host names: {printable(wanted)}." if wanted else ""
        return "host_scope_missing", f"{host.token} lacks a permission: {host.access}{accepted}"
    if status == 403:
        return "host_forbidden", f"The account may not do this here: {host.access}"
    if status in (404, 410):
        step = "Check the repository's address and that the token may see it; hosts hide what it may not."
        return "host_not_found", step
    if status == 409 and _EMPTY.search(words):
        return "host_empty_repository", "The repository has no commit yet; push its first one."
    if status in (405, 409):
        return "host_conflict", "Something changed meanwhile; look at the pull request."
    if status in (400, 422):
        return "host_rejected", f"{host.name}'s own words are in the message."
    return "host_bad_answer", f"Check {host.base_url}."


def _lacks_scope(headers: Mapping[str, str]) -> bool:
    """Say whether a classic token has none of the scopes that the host would take."""
    if "x-oauth-scopes" not in headers or not headers.get("x-accepted-oauth-scopes"):
        return False
    has, takes = (
        {scope.strip() for scope in headers[name].split(",") if scope.strip()}
        for name in ("x-oauth-scopes", "x-accepted-oauth-scopes")
    )
    return not has & takes


def _is_rate_limit(headers: Mapping[str, str], words: str) -> bool:
    return (
        "retry-after" in headers
        or "0" in (headers.get("x-ratelimit-remaining"), headers.get("ratelimit-remaining"))
        or "rate limit" in words.lower()
        or "abuse detection" in words.lower()
    )


def _delay(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the host wants us to wait, at most a day; None when it does not say."""
    try:
        if "retry-after" in headers:
            return _within_a_day(float(headers["retry-after"]))
        for limit in ("x-ratelimit", "ratelimit"):
            if headers.get(f"{limit}-remaining", "0") == "0" and f"{limit}-reset" in headers:
                return _within_a_day(float(headers[f"{limit}-reset"]) - time.time())
    except ValueError:
        pass
    return None


def _within_a_day(seconds: float) -> float:
    return min(max(seconds, 0.0), _LONGEST_WAIT)
