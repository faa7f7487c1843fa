"""An installation's own redaction rules, ``[[redact]]`` in ``ai-ops.toml``, which run on text of strangers.

Python's engine backtracks, so a careless pattern can take minutes on a line that was made for it. A pattern
is taken only when the work that it can do at one place of a text is small, whatever the text is: repeats
are bounded (the last one of a pattern excepted, which nothing can make turn back), none is inside another
that can share its letters out differently, and nothing refers back. The refusal says what to write instead.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

_LONGEST = 500
_STEPS = 128
"""Most steps at one place, for each character by which two beginnings of a pattern must lie apart."""
_MANY = 10**9


class Rule(NamedTuple):
    """One rule: group 1 of the pattern, where there is one, is the secret, else the whole match."""

    name: str
    pattern: re.Pattern[str]


def rules_of(tables: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Return the rules of the ``[[redact]]`` tables.

    Raises:
        ValueError: which table is wrong, and why.
    """
    return tuple(_rule(number, table) for number, table in enumerate(tables, 1))


def _rule(number: int, table: Mapping[str, Any]) -> Rule:
    place = f"[[redact]] {number}"
    if not isinstance(table, Mapping) or not all(isinstance(value, str) for value in table.values()):
        raise ValueError(f"{place}: must be a table of name and pattern, both text")
    if unknown := sorted(table.keys() - {"name", "pattern"}):
        raise ValueError(f"{place}: {unknown[0]} is not a key; known are name, pattern")
    if not table.get("name") or not table.get("pattern"):
        raise ValueError(f"{place}: name and pattern must both be there")
    try:
        return Rule(table["name"], compiled(table["pattern"]))
    except ValueError as reason:
        raise ValueError(f"{place} ({table['name']}): {reason}") from None


def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern that cannot take long on any text.

    Raises:
        ValueError: why it is refused, and what to write instead.
    """
    if len(pattern) > _LONGEST:
        raise ValueError(f"pattern has more than {_LONGEST} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a later Python may read otherwise
            found = re.compile(pattern)
            parsed = _parser.parse(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"pattern is no regular expression: {error}") from None
    if found.match(""):
        raise ValueError("pattern matches nothing at all; write what must be there")
    cost = _sequence(list(parsed), last=True)
    # A text can begin the pattern anew at each period of its beginning: for "-----" at every character.
    if cost.steps > _STEPS * max(1, _period(_beginning(list(parsed)).lower())):
        raise ValueError(
            "pattern can try too often on a text made for it; begin it with plain text, or bound its repeats "
            "more tightly ({1,16})"
        )
    return found


class _Cost(NamedTuple):
    """What a part can cost at one place: the steps of one try, and in how many ways it can match."""

    steps: int
    ways: int


_ONE = frozenset((op.LITERAL, op.NOT_LITERAL, op.IN, op.ANY, op.AT, op.CATEGORY))
_REPEATS = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)


def _sequence(items: Sequence[Any], *, last: bool) -> _Cost:
    """Return the cost of parts in a row; ``last`` where nothing of the pattern comes behind them."""
    steps, ways = 0, 1
    for at, (kind, argument) in enumerate(items):
        one = _part(kind, argument, last=last and at == len(items) - 1)
        steps = min(_MANY, steps + ways * one.steps)
        ways = min(_MANY, ways * one.ways)
    return _Cost(steps, ways)


def _part(kind: Any, argument: Any, *, last: bool) -> _Cost:
    if kind in _ONE:
        return _Cost(1, 1)
    if kind in _REPEATS:
        return _repeat(kind, *argument, last=last)
    if kind is op.BRANCH:
        branches = [_sequence(list(branch), last=last) for branch in argument[1]]
        return _Cost(sum(one.steps for one in branches), sum(one.ways for one in branches))
    if kind is op.SUBPATTERN:
        return _sequence(list(argument[-1]), last=last)
    if kind is op.ATOMIC_GROUP:
        return _Cost(_sequence(list(argument), last=last).steps, 1)
    if kind in (op.ASSERT, op.ASSERT_NOT):
        return _Cost(_sequence(list(argument[1]), last=False).steps, 1)
    raise ValueError("pattern refers back to a group, which cannot be done in linear time")


def _repeat(kind: Any, least: int, most: Any, body: Any, *, last: bool) -> _Cost:
    one = _sequence(list(body), last=False)
    if most is op.MAXREPEAT:
        # What it takes is never given back, and the search goes on behind it: linear altogether.
        if last and one.ways == 1 and kind is not op.MIN_REPEAT:
            return _Cost(one.steps * max(1, least), 1)
        raise ValueError("pattern repeats without a bound before its end; write {1,64} instead of + or *")
    if one.ways > 1 and most > 1:
        ways = min(_MANY, one.ways ** min(most, 64))
        return _Cost(min(_MANY, ways * one.steps), ways)
    ways = 1 if kind is op.POSSESSIVE_REPEAT or (last and kind is op.MAX_REPEAT) else most - least + 1
    return _Cost(most * one.steps, ways * one.ways)


def _period(text: str) -> int:
    """Return by how many characters a text must be moved to lie upon itself again."""
    return next((by for by in range(1, len(text)) if text.startswith(text[by:])), len(text))


def _beginning(items: Sequence[Any]) -> str:
    """Return the plain text that every match begins with."""
    text = ""
    for kind, argument in items:
        if kind is not op.LITERAL:
            break
        text += chr(argument)
    return text
