"""What old logs would have led to: the groups of errors, which would be repaired, and what that may cost.

Pure: the records come in as they are read, the limits of the server that would be asked are given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ai_ops.core.describe import Description
from ai_ops.core.expected import ExpectedRule, judge
from ai_ops.core.intake import title
from ai_ops.core.pricing import Price, TokenCounts, cost
from ai_ops.flow.event import ErrorDetail
from ai_ops.flow.issue import TriageDecision

# A repair that goes well asks twice, for a test and for the fix. What a prompt holds at most is the room
# for files (``context``), the trace and the rules; answers are blocks of changed lines.
_REQUESTS = 2
_TYPICAL = TokenCounts(input=30_000, output=4_000)


@dataclass(slots=True)
class Group:
    """One error and all its repeats in the logs.

    ``triage`` is what the server would decide of it; ``paths`` are the logs that it stands in.
    """

    fingerprint: str
    error: ErrorDetail
    level: str
    triage: TriageDecision
    first_seen: datetime
    last_seen: datetime
    count: int = 0
    paths: set[str] = field(default_factory=set)

    @property
    def title(self) -> str:
        """What went wrong and where, without raw text."""
        return title(self.error)


class Forecast:
    """Gathers records into groups.

    Args:
        repo_key: the logs' repository, empty when it is not known.
        expected: what the server expects.
    """

    def __init__(self, repo_key: str = "", expected: Sequence[ExpectedRule] = ()) -> None:
        self._repo_key = repo_key
        self._expected = expected
        self._groups: dict[str, Group] = {}

    def knows(self, fingerprint: str) -> bool:
        """Return whether the group is there already, so that its record needs no description."""
        return fingerprint in self._groups

    def begin(self, description: Description, at: datetime) -> None:
        """Open the group of a record's kind."""
        error, level = description
        decision = judge(error, level, self._repo_key, self._expected)
        self._groups[error.fingerprint] = Group(error.fingerprint, error, level, decision, at, at)

    def count(self, fingerprint: str, at: datetime, path: str) -> None:
        """Count one record of a group that is there."""
        group = self._groups[fingerprint]
        group.count += 1
        group.first_seen, group.last_seen = min(group.first_seen, at), max(group.last_seen, at)
        group.paths.add(path)

    def groups(self) -> list[Group]:
        """Return all groups: first those that would be repaired, and of these the most frequent."""
        return sorted(
            self._groups.values(), key=lambda g: (not g.triage.repair, -g.count, g.first_seen, g.fingerprint)
        )


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the groups would lead to.

    ``tasks`` repairs would be queued and at most as many pull requests opened; ``open_at_once`` of them
    could be open at one time, the others would wait for those. Costs are in US dollars:
    ``expected_usd`` at list prices, with one round of two requests each; no run costs more than its
    budget, so ``most_usd`` is the end of it; a day's budget spreads it over ``days``.
    """

    tasks: int
    open_at_once: int
    expected_usd: float
    most_usd: float
    days: int


def predict(
    groups: Iterable[Group], price: Price, *, budget_per_run: float, budget_per_day: float, most_open: int
) -> Prediction:
    """Return what the groups would lead to on a server with these limits (US dollars, and a number)."""
    tasks = sum(group.triage.repair for group in groups)
    each = min(_REQUESTS * cost(price, _TYPICAL), budget_per_run)
    most = tasks * budget_per_run
    days = -int(-most // budget_per_day) if budget_per_day > 0 else 0
    return Prediction(tasks, min(tasks, most_open), tasks * each, most, days)
