"""The Test Anything Protocol, versions 12 to 14, read into results.

Lines that are no TAP are passed over, as the protocol says. What does not agree with its plan, or bails
out, is no report: a program that ends early leaves its plan unfulfilled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ai_ops.flow.report import CaseOutcome

_TEST = re.compile(r"(?P<not>not )?ok\b(?: (?P<number>\d{1,9})\b)?(?P<rest>[^\n]*)\Z")
_PLAN = re.compile(r"1\.\.(\d{1,9})(?:\s*#\s*(?P<skip>skip)\b.*)?\s*\Z", re.IGNORECASE)
_SUBTEST = re.compile(r"# Subtest(?:: (?P<name>[^\n]{1,1000}))?\s*\Z")
_DIRECTIVE = re.compile(r"(?<!\\)#\s*(?P<word>skip|todo)\S*", re.IGNORECASE)
_STEP = 4
_DEEPEST = 64
_MOST_SAID = 200  # lines


@dataclass(slots=True)
class Point:
    """One test point: the names of the subtests it lies in and its own, its outcome, and what it says."""

    names: tuple[str, ...]
    outcome: CaseOutcome
    said: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Level:
    """One depth of subtests: how many points were seen, what the plan says, and the name it goes by."""

    name: str = ""
    seen: int = 0
    plan: int | None = None
    points: list[Point] = field(default_factory=list)


def parse_tap(text: str) -> tuple[Point, ...] | None:
    """Return the test points in order, or None when they are not all there.

    A subtest is named by the point that ends it, so its points are known only then.
    """
    levels = [_Level()]
    last: Point | None = None
    in_yaml = False
    for raw in text.splitlines():
        line = raw.rstrip()
        depth, bare = _depth(line)
        if depth > _DEEPEST and not in_yaml:
            continue  # no test lies so deep
        if in_yaml:
            in_yaml = bare.strip() != "..."
            _note(last, bare)
        elif bare.strip() == "---" and last is not None:
            in_yaml = True
        elif bare.startswith("Bail out!"):
            return None
        elif plan := _PLAN.match(bare):
            _open(levels, depth)
            if levels[-1].plan is not None or depth != len(levels) - 1:
                return None
            levels[-1].plan = int(plan[1])
        elif point := _TEST.match(bare):
            last = _take(levels, depth, point)
            if last is None:
                return None
        elif bare.startswith("#"):
            _note(last, bare[1:].strip())
    whole = len(levels) == 1 and levels[0].plan == levels[0].seen
    return tuple(levels[0].points) if whole else None


def _depth(line: str) -> tuple[int, str]:
    bare = line.lstrip(" ")
    return (len(line) - len(bare)) // _STEP, bare


def _note(point: Point | None, line: str) -> None:
    if point is not None and len(point.said) < _MOST_SAID:
        point.said.append(line[:1000])


def _open(levels: list[_Level], depth: int) -> None:
    while len(levels) <= depth:
        levels.append(_Level())


def _take(levels: list[_Level], depth: int, found: re.Match[str]) -> Point | None:
    """Add a point, which closes the subtest beneath it; None when that one's plan does not agree."""
    if depth < len(levels) - 2:
        return None
    _open(levels, depth)
    inner = levels.pop() if depth == len(levels) - 2 else None
    level = levels[-1]
    level.seen += 1
    number = int(found["number"] or level.seen)
    point = _point(found)
    if number != level.seen or (inner is not None and inner.plan != inner.seen):
        return None
    if inner is None or not inner.points:
        level.points.append(point)
        return point
    for each in inner.points:
        each.names = (*point.names, *each.names)
    level.points += inner.points
    if point.outcome is CaseOutcome.FAILED and not any(
        each.outcome is CaseOutcome.FAILED for each in inner.points
    ):
        level.points.append(point)  # it failed by itself
    return point


def _point(found: re.Match[str]) -> Point:
    rest = found["rest"].strip().removeprefix("- ").strip()
    directive = _DIRECTIVE.search(rest)
    name = (rest[: directive.start()] if directive else rest).strip().replace("\\#", "#")
    outcome = CaseOutcome.FAILED if found["not"] else CaseOutcome.PASSED
    if directive:
        outcome = CaseOutcome.SKIPPED
    return Point((name or f"test {found['number'] or ''}".strip(),), outcome)
