"""What can be wrong with an answer, and the words that go back for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of an answer.

    ``rule`` is a stable snake_case name, ``place`` a path or ``block 2``. A ``final`` problem refuses
    the whole answer for good: it is an attack or out of bounds, so it is not asked again.
    """

    rule: str
    place: str
    text: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer of which nothing is applied, with everything that was found."""

    problems: tuple[Problem, ...]

    @property
    def final(self) -> bool:
        """Whether asking again is out of the question."""
        return any(problem.final for problem in self.problems)


def report(problems: Sequence[Problem]) -> str:
    """Return the text that goes back to Claude: every problem, and what is expected now."""
    lines = ["Nothing of your last answer was applied. These problems were found:", ""]
    for number, problem in enumerate(problems, 1):
        place = f" in {problem.place}" if problem.place else ""
        lines.append(f"{number}. {problem.rule}{place}: {problem.text}")
    lines += ["", "Send the whole answer again, with all blocks, not only the ones named here."]
    return "\n".join(lines)
