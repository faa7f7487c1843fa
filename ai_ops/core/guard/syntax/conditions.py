"""Conditions as sets of parts, so that two can be compared: whether one is true less often."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tree_sitter import Node

from ai_ops.core.guard.syntax.dialect import Dialect
from ai_ops.core.guard.syntax.tree import children, field, text, words

_WRAPPERS = frozenset({"parenthesized_expression", "arguments", "argument_list", "let_chain"})
_DEPTH, _MOST = 40, 64
_FALSE = frozenset({"false", "False", "0", "null", "None"})
_TRUE = frozenset({"true", "True", "1"})


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition: parts of which one must hold, each a set of parts which must all hold."""

    either: frozenset[frozenset[str]]

    @property
    def code(self) -> str:
        """The condition in one line, whatever the order of its parts."""
        return " || ".join(sorted(" && ".join(sorted(part)) for part in self.either))

    @property
    def never(self) -> bool:
        """Whether it cannot be true."""
        return all(not _FALSE.isdisjoint(part) for part in self.either)

    @property
    def always(self) -> bool:
        """Whether it cannot be false."""
        return any(part <= _TRUE for part in self.either)


NOTHING = Condition(frozenset())
ALWAYS = Condition(frozenset({frozenset({"true"})}))


def read_condition(node: Node | None, dialect: Dialect) -> Condition:
    """Return a condition in parts; what is neither *or* nor *and* is one part, word for word."""
    if node is None:
        return NOTHING
    return Condition(_alternatives(node, dialect, _DEPTH))


def _alternatives(node: Node, dialect: Dialect, depth: int) -> frozenset[frozenset[str]]:
    """Return the ways in which a condition can hold; what has too many is one part, word for word."""
    found: frozenset[frozenset[str]] = frozenset()
    for part in _split(node, dialect, dialect.either):
        factors = _split(part, dialect, dialect.both)
        if len(factors) == 1 or not depth:
            found |= {frozenset({words(part, strings=dialect.strings)})}
            continue
        ways: set[frozenset[str]] = {frozenset()}
        for factor in factors:
            ways = {way | more for way in ways for more in _alternatives(factor, dialect, depth - 1)}
            if len(ways) > _MOST:
                return frozenset({frozenset({words(node, strings=dialect.strings)})})
        found |= ways
    return found


def _split(node: Node, dialect: Dialect, operators: frozenset[str], depth: int = _DEPTH) -> list[Node]:
    """Return the operands of nested operators of one kind."""
    if depth and node.type in _WRAPPERS and len(children(node)) == 1:
        return _split(children(node)[0], dialect, operators, depth - 1)
    if depth and node.type in dialect.binary and text(field(node, "operator")) in operators:
        sides = [side for name in ("left", "right") if (side := field(node, name)) is not None]
        return [part for side in sides for part in _split(side, dialect, operators, depth - 1)]
    return [node]


@dataclass(frozen=True, slots=True)
class Looser:
    """In what a condition refuses less: parts that are ``gone``, or parts that have to hold as well."""

    parts: frozenset[str]
    gone: bool


def refuses_less(before: Condition, after: Condition, *, demanded: bool) -> Looser | None:
    """Return how a condition refuses less than another; None when it does not, or that cannot be said.

    Args:
        before: the condition that was there.
        after: the one that took its place.
        demanded: whether it is what has to hold, as in an assertion, and not what is refused.
    """
    if not after.either:
        return None  # always, as where a missing value raises
    if (after.always and not before.always) if demanded else (after.never and not before.never):
        return Looser(frozenset({"true" if demanded else "false"}), gone=True)
    gone, added = before.either - after.either, after.either - before.either
    if demanded:
        if added and not gone:
            return Looser(frozenset().union(*added), gone=False)
        pairs = [old - new for old in gone for new in added if new < old]
        return Looser(pairs[0], gone=True) if pairs else None
    if gone and not added:
        return Looser(frozenset().union(*gone), gone=True)
    pairs = [new - old for old in gone for new in added if old < new]
    return Looser(pairs[0], gone=False) if pairs and len(gone) >= len(added) else None


_OPERATORS = ("<", "<=", ">", ">=")
_NUMBER = re.compile(r"-?\d[\d_]*(?:\.\d*)?")
_ENDLESS = re.compile(r"\A(?:(?:MAX|MIN)(?:_\w+)?|(?:Max|Min)(?:U?[Ii]nt|Float)\w*|inf|Infinity|maxsize)\Z")
_STEP = 1.0


@dataclass(frozen=True, slots=True)
class Limit:
    """A comparison whose limit lets more through; ``far`` when it moved by more than a step."""

    parts: str
    far: bool


def looser_limit(before: Condition, after: Condition, *, demanded: bool) -> Limit | None:
    """Return the one comparison in which two conditions differ, when it refuses less than it did."""
    gone = {part for way in before.either for part in way} - {part for way in after.either for part in way}
    added = {part for way in after.either for part in way} - {part for way in before.either for part in way}
    if len(gone) != 1 or len(added) != 1:
        return None
    then, now = (next(iter(each)).split(" ") for each in (gone, added))
    at = next((n for n, (old, new) in enumerate(zip(then, now, strict=False)) if old != new), len(then))
    where = at if then[at : at + 1] and then[at] in _OPERATORS else _operator_before(then, at)
    if where is None or "!" in then[:where] or "not" in then[:where]:
        return None
    old, new = then[where], now[where]
    if old[0] != new[0] or new not in _OPERATORS or (old != new and then[where + 1 :] != now[where + 1 :]):
        return None
    upwards = (old[0] == ">") is not demanded  # a larger limit refuses less
    moved = _moved(then[where + 1 :], now[where + 1 :], upwards=upwards)
    looser_operator = len(new) > len(old) if demanded else len(new) < len(old)
    if moved is None or moved < 0 or (moved == 0 and not looser_operator):
        return None
    return Limit(f"{' '.join(then)} became {' '.join(now)}", far=moved > _STEP)


def _operator_before(words: Sequence[str], at: int) -> int | None:
    """Return where the comparison is whose limit a word belongs to."""
    return next((n for n in range(min(at, len(words)) - 1, -1, -1) if words[n] in _OPERATORS), None)


def _moved(then: Sequence[str], now: Sequence[str], *, upwards: bool) -> float | None:
    """Return how far a limit moved to where less is refused; None when that cannot be said."""
    if then == now:
        return 0.0
    if len(then) == len(now) and then[1:] == now[1:] and _are_numbers(then[0], now[0]):
        old, new = _number(then[0]), _number(now[0])
        return new - old if upwards else old - new
    if _ENDLESS.search(now[-1]) and not _ENDLESS.search(then[-1]):
        return math.inf
    more = now[len(then) : len(then) + 2]
    if now[: len(then)] != then or len(more) < 2 or not _are_numbers(more[1]):
        return None
    grows = more[0] in ("+", "*")
    if not grows and more[0] not in ("-", "/"):
        return None
    return _number(more[1]) if grows is upwards else -_number(more[1])


def _are_numbers(*words: str) -> bool:
    return all(_NUMBER.fullmatch(each) for each in words)


def _number(word: str) -> float:
    return float(word.replace("_", "").rstrip("."))
