"""What runs did since the server's start, in figures: how they ended, how long steps took, what models used.

Plain numbers: the server makes metrics of them. Nothing here is kept over a restart; who draws the figures
expects that.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from ai_ops.flow.run import Usage

STEP_BOUNDS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
"""Upper bounds of the classes that durations of steps are counted in, seconds."""


@dataclass(slots=True)
class Durations:
    """A histogram: how many fell into each class, the last one without a bound, and their sum in seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(STEP_BOUNDS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(STEP_BOUNDS, seconds)] += 1
        self.seconds += seconds

    def buckets(self) -> list[tuple[str, int]]:
        """Return how many were at most as long as each bound, as Prometheus writes them."""
        found, total = [], 0
        for bound, count in zip([*map(str, STEP_BOUNDS), "+Inf"], self.counts, strict=True):
            total += count
            found.append((bound, total))
        return found


class Tally:
    """Counts by labels. A model's name comes from a closed set: what was asked, or what answered."""

    def __init__(self) -> None:
        self.runs: Counter[tuple[str, str]] = Counter()
        """By kind and the state that the task was left in."""
        self.steps: dict[tuple[str, str], Durations] = {}
        """By name and outcome, ``done`` or ``failed``."""
        self.tokens: Counter[tuple[str, str, str]] = Counter()
        """By model, kind and direction, ``input`` or ``output``."""
        self.usd: dict[tuple[str, str], float] = {}
        """By model and kind."""
        self.losses: Counter[tuple[str]] = Counter()
        """Workers replaced, by reason."""

    def step(self, name: str, outcome: str, seconds: float) -> None:
        """Count one entry of a step."""
        self.steps.setdefault((name, outcome), Durations()).add(seconds)

    def used(self, model: str, kind: str, usage: Usage) -> None:
        """Count what a call used."""
        self.tokens[model, kind, "input"] += usage.input_tokens
        self.tokens[model, kind, "output"] += usage.output_tokens
        self.usd[model, kind] = self.usd.get((model, kind), 0.0) + usage.cost_usd
