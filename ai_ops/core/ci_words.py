"""What we say about CI: to people in comments, and to the fixer in the request of a follow-up.

Names of checks and what they print come from outside: in comments they go through ``core.markdown``, in a
request they are data, which the prompt fences.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ai_ops.core import markdown
from ai_ops.core.checks import CiDecision, names
from ai_ops.core.untrusted import clean
from ai_ops.core.wording import counted
from ai_ops.flow.pull_request import Check

MOST_LOGS = 3
"""Of so many failing checks the logs are read."""

_MOST_LOG = 8_000  # characters of each, from its end
_MOST_LISTED = 20

CONFLICTS = "It conflicts with the branch now: both changed the same lines."


def request(decision: CiDecision, logs: Sequence[tuple[Check, str]], redact: Callable[[str], str]) -> str:
    """Return what a repair of failing checks is asked with: which they are, and how their logs end."""
    parts = [redact(f"Failing: {names(decision.checks)}")]
    for check, log in logs:
        words = clean(log).text.strip() or clean(redact(check.summary)).text.strip() or "(it printed nothing)"
        cut = words[-_MOST_LOG:]
        title = redact(names([check]))
        parts.append(f"{title}{', the end' if len(cut) < len(words) else ''}:\n{cut}")
    return "\n\n".join(parts)


def stale(decision: CiDecision) -> str:
    """Return what a merge of the base is asked with, where its newest commit has mended a check."""
    return f"{names(decision.checks)} fails here and passes on its newest commit {decision.sha[:12]}."


def theirs(decision: CiDecision) -> str:
    """Return the comment on a failure that the base has too."""
    return (
        f"CI fails here, and so it does on the base, at {decision.sha[:12]}: it is not this change's doing. "
        f"I do not repair it here.\n\n{_listed(decision)}"
    )


def flapping(decision: CiDecision) -> str:
    """Return the comment on checks that fail now and passed on the same commit."""
    return (
        "These checks fail now and passed on this very commit before. "
        f"They are not steady, so I repair nothing; to be sure, run them again.\n\n{_listed(decision)}"
    )


def unknown(wait_seconds: float) -> str:
    """Return the comment on a draft that CI never spoke of."""
    waited = counted(max(1, round(wait_seconds / 60)), "minute")
    return (
        f"No check has reported within {waited}, so this stays a draft. "
        "Mark it ready when you have looked at it; I will too should CI pass later."
    )


def left(decision: CiDecision, rounds: int) -> str:
    """Return the comment that leaves failing checks to people."""
    done = f"I have tried {counted(rounds, 'time')} to mend them" if rounds else "I repair no checks here"
    return f"CI still fails because of this change. {done}; they are left to you.\n\n{_listed(decision)}"


def merges_left(most: int) -> str:
    """Return the comment on a branch whose base was merged often enough."""
    return (
        f"I have brought the base branch's changes in {counted(most, 'time')}, and it has moved on again. "
        "Further ones are left to you."
    )


def _listed(decision: CiDecision) -> str:
    lines = [f"- {markdown.code(check.name) or 'a check'}" for check in decision.checks[:_MOST_LISTED]]
    more = len(decision.checks) - len(lines)
    return "\n".join([*lines, *([f"- and {more} more"] if more > 0 else [])])
