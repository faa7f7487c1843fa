"""Checks that are still there and are gone around: a new end of their function gives the same result earlier.

It decides nothing: ``checking`` says what that is worth.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from ai_ops.core.guard.syntax.checks import UNRAISED, Check

_MADE = re.compile(r"return (?:new )?([A-Za-z_]\w*) \(")
_REFUSES = re.compile(
    r"fail|err(?:or)?(?:$|_|[A-Z])|invalid|reject|problem|denied|refus|missing", re.IGNORECASE
)
_RETURNED = re.compile(r"\breturn (?:new )?([A-Za-z_]\w*)")
_GIVEN = re.compile(r"\s*(?:\w+ )?([a-z_][a-z_0-9]*)(?:: [^=]{1,60})? :?= (.{4,200}?);?\s*")
_ASKED = re.compile(r"[A-Za-z_]\w*(?: \. [A-Za-z_]\w*){0,8}")
_NOTHING_THERE = re.compile(
    r"(?:!|not) \w+|\w+ (?:is|={2,3}) (?:None|null|undefined|nil)|len \( \w+ \) == 0"
    r"|\w+ \. (?:is_none|is_empty|isEmpty|isBlank) \( \)|\w+ \. (?:length|size \( \)) ={2,3} 0"
)
_NOT_ASKED = frozenset(
    {
        "not", "is", "in", "and", "or", "None", "null", "nil", "undefined", "true", "false", "len", "typeof",
        "instanceof", "isinstance", "new", "strings", "size", "length", "equals", "self", "this", "cls",
    }
)  # fmt: skip
_MOST = 200  # new ends that are looked at, checks below one of them, and lines about a place


@dataclass(frozen=True, slots=True)
class GoneAround:
    """A new end, and the first check below it that it goes around.

    ``surely`` when the result holds the very value that the check asks about, and the end is for another
    reason: not because that value is of another kind, and not because something else is not there at all.
    """

    path: str
    end: Check
    check: Check
    surely: bool


class _Lines:
    """The lines of a file: what they return, and what they give a name, each by its place."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()

    @cached_property
    def _returned(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for at, line in enumerate(self._lines, 1):
            for name in _RETURNED.findall(line[:300]):
                found.setdefault(name, []).append(at)
        return found

    @cached_property
    def _given(self) -> dict[str, list[tuple[int, str]]]:
        found: dict[str, list[tuple[int, str]]] = {}
        for at, line in enumerate(self._lines, 1):
            if (given := _GIVEN.fullmatch(line[:300])) and "(" in given[2]:
                found.setdefault(given[1], []).append((at, _closed_up(given[2])))
        return found

    def returns(self, name: str, below: int) -> bool:
        """Whether the result of that name is returned soon below a line."""
        places = self._returned.get(name, [])
        after = bisect_right(places, below)
        return after < len(places) and places[after] <= below + _MOST

    def stands_for(self, name: str, code: str, near: int) -> bool:
        """Whether the code holds what a name is given near a line."""
        given = self._given.get(name, [])
        first = bisect_left(given, (near - _MOST, ""))
        return any(at <= near + _MOST and value in code for at, value in given[first : first + _MOST])


def gone_around(
    texts: dict[str, str], kept: Sequence[tuple[str, Check]], ends: Sequence[tuple[str, Check]]
) -> Iterator[GoneAround]:
    """Yield the new ends that go around a check, each once.

    Args:
        texts: the files after the change.
        kept: the checks that were there before and still are.
        ends: the new ends.
    """
    below: dict[tuple[str, str], list[Check]] = {}
    for path, check in kept:
        if not (
            check.raises in UNRAISED or check.demanded or check.otherwise or check.in_handler or check.undone
        ):
            below.setdefault((path, check.scope), []).append(check)
    files: dict[str, _Lines] = {}
    for path, end in ends[:_MOST]:
        made = _MADE.match(end.code)
        if made is None or end.otherwise or _REFUSES.search(made[1]):
            continue
        there = [check for check in below.get((path, end.scope), ()) if check.line > end.line]
        if there and path not in files:
            files[path] = _Lines(texts.get(path, ""))
        held, plain = frozenset(_paths(end.code)), _closed_up(end.code)
        for check in there[:_MOST]:
            if not files[path].returns(made[1], check.line):
                continue
            asked = [each for each in _ASKED.findall(check.when.code) if _is_value(each)]
            whole = any(each in held or files[path].stands_for(each, plain, end.line) for each in asked)
            if whole or any(each.partition(" ")[0] in held for each in asked):
                yield GoneAround(path, end, check, whole and not _is_for_another(end, check))
                break


def _paths(code: str) -> Iterator[str]:
    """Yield each name of a code with the fields that are read of it, and what they are read of."""
    for path in _ASKED.findall(code):
        names = path.split(" . ")
        yield from (" . ".join(names[:number]) for number in range(1, len(names) + 1))


def _is_value(asked: str) -> bool:
    """Whether a name may be that of a value: no word of a language and no constant."""
    name = asked.partition(" ")[0]
    return name.islower() and name not in _NOT_ASKED


def _is_for_another(end: Check, check: Check) -> bool:
    """Whether an end is for a checked value of another kind, or for another value that is not there."""
    names = {name for asked in _ASKED.findall(check.when.code) for name in asked.split(" . ")} - _NOT_ASKED
    if not names.isdisjoint(re.findall(r"[A-Za-z_]\w*", end.when.code)):
        return True
    return bool(end.when.either) and all(any(map(_NOTHING_THERE.fullmatch, way)) for way in end.when.either)


def _closed_up(code: str) -> str:
    return re.sub(r"[\s,]", "", code)
