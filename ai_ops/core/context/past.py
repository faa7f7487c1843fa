"""Repairs of the past: what a fixer is told of similar bugs."""

from __future__ import annotations

from collections.abc import Sequence

from ai_ops.core.wording import counted, shortened
from ai_ops.flow.bug_case import BugCase, BugCaseOutcome

PAST_BUDGET = 12_000
"""How many characters there is room for; they take theirs from the files."""


def past_repairs(cases: Sequence[BugCase], repo_key: str, *, budget: int = PAST_BUDGET) -> tuple[str, ...]:
    """Return what a fixer is told of similar bugs, one text each, within so many characters.

    Code stays in its repository: of a bug elsewhere only the kind of error and the words of its repair are
    told, because what a fixer knows may turn up in the pull request.
    """
    texts: list[str] = []
    for number, case in enumerate(cases):
        room = (budget - sum(map(len, texts))) // (len(cases) - number)
        texts.append(_past_repair(case, own=case.repo_key == repo_key, room=room))
    return tuple(texts)


def _past_repair(case: BugCase, *, own: bool, room: int) -> str:
    kind = case.likeness.types[0] if case.likeness.types else ""
    facts = [
        ("Error", case.title) if own else ("Error, in another repository", kind),
        ("What became of the repair", became(case)),
        ("Cause", case.cause),
        ("Change", case.summary),
    ]
    text = "\n".join(f"{name}: {value}" for name, value in facts if value)
    if len(text) > room:
        return f"{text[: room - 1]}…"
    with_diff = f"{text}\nDiff:\n{case.diff}"
    return with_diff if own and case.diff and len(with_diff) <= room else text


def earlier_change(diff: str) -> str:
    """Return what a fixer is told of a change of its own that does not fit the newer base any more."""
    return (
        "This very error was repaired on an older state of the branch, by the change below, and people look "
        "at it. The files have changed meanwhile, so that it no longer fits: make its change to them as they "
        f"are now, and no more than that.\n\n{shortened(diff, PAST_BUDGET)}"
    )


def became(case: BugCase) -> str:
    """Return in words what became of a case: one that was refused or did not hold is no good example."""
    words = {
        BugCaseOutcome.MERGED: "it was merged",
        BugCaseOutcome.CLOSED: "a person refused it: the pull request was closed without a merge",
        BugCaseOutcome.RESOLVED: "the error was mended without it",
    }[case.outcome]
    if case.recurrences:
        return f"{words}, and the error came back {counted(case.recurrences, 'time')}"
    return f"{words}, and the error has not come back" if case.resolved else words
