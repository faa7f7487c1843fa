"""The rules of the bug library: when an issue becomes a case, how good a case is, and who may see it.

A case of the past is shown to the fixer as an example. So one that was refused, or whose error came back,
counts for less, and code of one repository is never shown where another one is repaired.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ai_ops.core.ports import BugCases
from ai_ops.core.similarity import Similarity, compare
from ai_ops.flow.bug_case import BugCaseOutcome, KnownBug, Likeness, Reach
from ai_ops.flow.pull_request import PullRequestState

SHOWN = 3
"""How many cases a fixer sees at most."""

LEAST_SCORE = 0.5
"""What is less alike, or was refused too often, is not shown to a fixer."""

_QUALITY = {BugCaseOutcome.MERGED: 0.8, BugCaseOutcome.RESOLVED: 0.5, BugCaseOutcome.CLOSED: 0.1}
_HELD = 0.2  # a merged change after which the issue was resolved, and stayed so


@dataclass(frozen=True, slots=True)
class Match:
    """A case of the past beside an error. ``score`` is the similarity, lowered by a poor quality.

    ``shown`` says whether a fixer sees it, ``reason`` why not.
    """

    bug: KnownBug
    similarity: Similarity
    quality: float
    score: float
    shown: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What was found for an error, best first, and how many cases were looked at."""

    matches: tuple[Match, ...]
    looked_at: int

    @property
    def shown(self) -> tuple[Match, ...]:
        """Those that a fixer sees."""
        return tuple(match for match in self.matches if match.shown)


def case_id(issue_id: str, episode: int) -> str:
    """Return the id of an episode's case: however often it is made, it is one."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"ai-ops:bug-case:{issue_id}:{episode}"))


def owner_of(repo_key: str) -> str:
    """Return whose repository it is: host and path without its name. One right below a host stands alone."""
    owner = repo_key.rpartition("/")[0]
    return owner if "/" in owner else repo_key


def outcome_of(pull_request: PullRequestState | None, *, resolved: bool) -> BugCaseOutcome | None:
    """Return how an episode came to its end; None while it has not."""
    if pull_request is PullRequestState.MERGED:
        return BugCaseOutcome.MERGED
    if pull_request is PullRequestState.CLOSED:
        return BugCaseOutcome.CLOSED
    return BugCaseOutcome.RESOLVED if resolved else None


def quality(outcome: BugCaseOutcome, recurrences: int, *, resolved: bool) -> float:
    """Return how far a case can be trusted as an example, 0 to 1; each recurrence halves it."""
    held = _HELD if outcome is BugCaseOutcome.MERGED and resolved else 0.0
    return round((_QUALITY[outcome] + held) * 0.5 ** min(recurrences, 10), 3)


def rank(
    wanted: Likeness,
    bugs: Iterable[KnownBug],
    repo_key: str,
    *,
    limit: int = 10,
    but: tuple[str, int] = ("", 0),
) -> tuple[Match, ...]:
    """Return the cases most like an error: those of its own repository first, then by score, then the newest.

    Args:
        wanted: the error.
        bugs: the cases to choose from.
        repo_key: the repository that the error belongs to.
        limit: how many are returned.
        but: an issue and episode that is left out, because it is the error itself.
    """
    found = [_match(wanted, bug) for bug in bugs if (bug.issue_id, bug.episode) != but]
    found.sort(key=lambda match: match.bug.updated_at, reverse=True)
    found.sort(key=lambda match: (match.score < LEAST_SCORE, match.bug.repo_key != repo_key, -match.score))
    return tuple(_marked(match, place) for place, match in enumerate(found[:limit]))


async def closest(
    cases: BugCases,
    wanted: Likeness,
    repo_key: str,
    reach: Reach,
    *,
    limit: int = 10,
    but: tuple[str, int] = ("", 0),
) -> Retrieval:
    """Look up what is known of errors like this one."""
    bugs = await cases.alike(wanted, repo_key, owner=owner_of(repo_key), reach=reach)
    return Retrieval(rank(wanted, bugs, repo_key, limit=limit, but=but), len(bugs))


def _match(wanted: Likeness, bug: KnownBug) -> Match:
    similarity = compare(wanted, bug.likeness)
    good = quality(bug.outcome, bug.recurrences, resolved=bug.resolved)
    return Match(bug, similarity, good, round(similarity.score * (0.5 + 0.5 * good), 3))


def _marked(match: Match, place: int) -> Match:
    """Say whether a match is shown, at its place in the list; those that are too poor come last."""
    if match.score < LEAST_SCORE:
        return replace(match, reason=f"scores less than {LEAST_SCORE}")
    if place >= SHOWN:
        return replace(match, reason=f"{SHOWN} others come before it")
    return replace(match, shown=True)
