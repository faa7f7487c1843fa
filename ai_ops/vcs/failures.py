"""What git's words mean: an exit code and stderr → a named failure with a next step. Pure.

git has no error codes, so its English is read (the locale is fixed). The first rule that matches wins;
more special ones stand first, since a refusal comes with a general complaint behind it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError
from ai_ops.process import Completed, End

_WORDS = 600  # characters of git's own words in a message


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    code: str
    next_step: str | None


def _rule(pattern: str, code: str, next_step: str | None = None) -> _Rule:
    return _Rule(re.compile(pattern, re.IGNORECASE), code, next_step)


_RULES = (
    _rule(
        r"push protection|GH013.*secret|secret(s)? (was |were )?(detected|found)|contains? secrets",
        "push_secret_detected",
        "The host found a secret in the commit. Remove it from the change; rotate it if it is real.",
    ),
    _rule(
        r"GH006|protected branch|to a protected|cannot update this protected ref|"
        r"changes must be made through a (pull|merge) request",
        "push_protected_branch",
    ),
    _rule(
        r"GH013",
        "push_secret_detected",
        "A rule of the repository refused the commit; open the link in the message.",
    ),
    _rule(
        r"without .?workflow.? (scope|permission)|refusing to allow .* workflow",
        "push_refused",
        "The change touches a workflow file; give the token the workflow scope, or protect that path.",
    ),
    _rule(
        r"archived so it is read-only|archived project",
        "push_refused",
        "The repository is archived; unarchive it first.",
    ),
    _rule(
        r"stale info|non-fast-forward|fetch first|reference already exists|but expected|incorrect old value",
        "branch_taken",
        "Someone else's commits are on the branch; they are not overwritten. Continue there by hand.",
    ),
    _rule(
        r"remote rejected|hook declined|pre-receive",
        "push_refused",
        "A rule of the host refused the push; its own words are in the message.",
    ),
    _rule(
        r"unrelated histories|no merge base",
        "unrelated_history",
        "The two branches share no commit. Was the repository rewritten or replaced? Start a new repair.",
    ),
    _rule(
        r"authentication failed|could not read (username|password)|error: 401|invalid username or",
        "git_auth_failed",
        "Check the token of the code host: is it set, valid, and of the right host?",
    ),
    _rule(
        r"error: 403|permission to .* denied|write access to repository not granted|"
        r"not allowed to (push|upload)",
        "git_auth_failed",
        "The token is known but may not do this; give it read and write access to the repository's contents.",
    ),
    _rule(
        r"repository .* not found|error: 404|does not appear to be a git repository|"
        r"couldn't find remote ref|error: 30[1278]|unable to update url base from redirection",
        "git_not_found",
        "Check the repository's address and that the token may see it; a moved repository needs its new one.",
    ),
    _rule(
        r"dubious ownership|unsafe repository",
        "git_failed",
        "The repository's files belong to another user; run the server as that user.",
    ),
    _rule(
        r"ssl (certificate|connect|peer)|certificate (problem|verif|has expired)|gnutls|"
        r"tls (handshake|connect)",
        "tls_failed",
    ),
    _rule(r"no space left|disk quota", "disk_full"),
    _rule(
        r"from proxy after connect|proxy connect aborted|could not resolve proxy|"
        r"proxy authentication|connect tunnel failed",
        "proxy_refused",
    ),
    _rule(r"could not resolve", "dns_failed"),
    _rule(
        r"operation too slow|timed? ?out",
        "git_timeout",
        "The host is slow or away; it is tried again.",
    ),
    _rule(
        r"error: (5\d\d|429|408)|failed to connect|couldn't connect|"
        r"connection re(fused|set)|"
        r"empty reply|recv failure|early eof|unexpected disconnect|hung up|rpc failed|"
        r"unable to access '\w+://(?!.*error: 4)|network is unreachable|expected flush|transfer closed",
        "git_unreachable",
    ),
    _rule(
        r"not a git repository|corrupt|bad (object|tree|signature)|object file .* is empty|inflate|unable to "
        r"(read|parse|unpack)|could not read [0-9a-f]{40}|packfile .* cannot|"
        r"missing (blob|tree|commit|object|necessary)|"
        r"does not match index|garbage at end|\.lock': file exists|not a valid object|cannot read",
        "git_damaged",
    ),
)


def failure_of(done: Completed, action: str, accept: Sequence[int] = (0,)) -> AiOpsError | None:
    """Return the failure that a finished git command means, or None when it is an answer."""
    if done.end in (End.WALL_TIMEOUT, End.IDLE_TIMEOUT):
        return failed("git_timeout", f"{action}: git took too long")
    if done.end is End.OUTPUT_LIMIT:
        return failed("git_failed", f"{action}: git printed more than allowed")
    if done.exit_code in accept:
        return None
    return named(f"{done.complaint}\n{done.text[-2000:]}", action)


def named(words: str, action: str) -> AiOpsError:
    """Return the failure that git's words name; ``git_failed`` when they are not known."""
    message = f"{action}: {_presentable(words)}"
    for rule in _RULES:
        if rule.pattern.search(words):
            return failed(rule.code, message, next_step=rule.next_step)
    return failed("git_failed", message)


def _presentable(words: str) -> str:
    """Return the tail of git's words on one line, without control characters."""
    line = " ".join(words.split())
    return "".join(c for c in line if c.isprintable())[-_WORDS:] or "git said nothing"
