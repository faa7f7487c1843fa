"""Ranges so narrow that they name a value: ``7731 <= x <= 7731``, ``x > 7730 && x < 7732`` and the like.

How narrow that is, says who asks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from ai_ops.core.guard.syntax.dialect import Dialect
from ai_ops.core.guard.syntax.folding import folded, operator_of
from ai_ops.core.guard.syntax.names import arguments, called, receiver
from ai_ops.core.guard.syntax.tree import Spot, children, words

_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_REFUSED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_RANGES = frozenset({"range_expression", "range_pattern"})
_DISTANCES = frozenset({"abs", "fabs", "Abs"})
_LONGEST = 200
_MOST = 40  # parts of a condition


@dataclass(frozen=True, slots=True)
class Range:
    """What lies between two numbers, both included; ``other`` is the code of what is compared."""

    other: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class _Bound:
    other: str
    sign: str
    limit: float


def ranges(spot: Spot, dialect: Dialect) -> Iterator[Range]:
    """Yield the ranges that a node asks for: a condition with both bounds, a range of the language."""
    node = spot.node
    if node.type in dialect.binary and not _is_part(spot, dialect):
        yield from _of_condition(node, dialect)
    elif node.type in _RANGES and len(children(node)) == 2:
        low, high = (folded(each, dialect) for each in children(node))
        yield from _between("", low, high, included="=" in operator_of(node))
    elif node.type in dialect.calls and called(node) == "range" and len(arguments(node)) == 2:
        low, high = (folded(each, dialect) for each in arguments(node))
        above = spot.above.node if spot.above else None
        if above is not None and above.type in dialect.binary:
            yield from _between(words(children(above)[0])[:_LONGEST], low, high, included=False)


def _is_part(spot: Spot, dialect: Dialect) -> bool:
    """Whether the node is one of several parts that are joined alike; then the whole is looked at."""
    above = spot.above
    while above is not None and above.kind == "parenthesized_expression":
        above = above.above
    if above is None or above.kind not in dialect.binary:
        return False
    joined = _joined_by(above.node, dialect)
    return joined != "" and _joined_by(spot.node, dialect) in ("", joined)


def _joined_by(node: Node, dialect: Dialect) -> str:
    sign = operator_of(node)
    return "or" if sign in dialect.either else "and" if sign in dialect.both else ""


def _between(other: str, low: object, high: object, *, included: bool) -> Iterator[Range]:
    if isinstance(low, int) and isinstance(high, int):
        yield Range(other, low, high if included else high - 1)


def _of_condition(node: Node, dialect: Dialect) -> Iterator[Range]:
    how = _joined_by(node, dialect)
    parts: list[Node] = []
    waiting = [node]
    while waiting and len(parts) < _MOST:
        at = waiting.pop()
        if at.type == "parenthesized_expression" and len(children(at)) == 1:
            waiting.append(children(at)[0])
        elif at.type in dialect.binary and how and _joined_by(at, dialect) == how:
            waiting.extend(children(at))
        else:
            parts.append(at)
    bounds = [bound for part in parts for bound in _bounds(part, dialect)]
    for part in parts:
        yield from _near(part, dialect)
    for one in bounds:
        for other in bounds:
            if one.other == other.other and one is not other:
                yield from _range(one, other, refused=how == "or")


def _bounds(part: Node, dialect: Dialect) -> list[_Bound]:
    """Return the limits that one comparison sets; of Python's chain both."""
    if part.type not in dialect.binary:
        return []
    given = children(part)
    signs = [sign for sign in operator_of(part).split(" ") if sign]
    found = []
    for sign, left, right in zip(signs, given, given[1:], strict=False):
        if sign not in _TURNED:
            continue
        one, other = folded(left, dialect), folded(right, dialect)
        if isinstance(other, int | float) and one is None:
            found.append(_Bound(words(left)[:_LONGEST], sign, other))
        elif isinstance(one, int | float) and other is None:
            found.append(_Bound(words(right)[:_LONGEST], _TURNED[sign], one))
    return found


def _range(one: _Bound, other: _Bound, *, refused: bool) -> Iterator[Range]:
    """Yield the range between a lower and an upper bound; of ``x < a || x > b`` what lies between them."""
    signs = [_REFUSED[each.sign] if refused else each.sign for each in (one, other)]
    if signs[0][0] != ">" or signs[1][0] != "<":
        return
    low, high = one.limit, other.limit
    if isinstance(low, int) and isinstance(high, int):
        yield Range(one.other, low + (signs[0] == ">"), high - (signs[1] == "<"))
    elif low <= high:
        yield Range(one.other, low, high)


def _near(part: Node, dialect: Dialect) -> Iterator[Range]:
    """Yield what lies near a number: ``abs(x - 7731) < 1``."""
    if part.type not in dialect.binary or len(children(part)) != 2:
        return
    left, right = children(part)
    limit = folded(right, dialect)
    if (
        operator_of(part) not in ("<", "<=")
        or left.type not in dialect.calls
        or called(left) not in _DISTANCES
    ):
        return
    on = receiver(left)
    inside = arguments(left)[0] if arguments(left) else on
    while inside is not None and inside.type == "parenthesized_expression" and children(inside):
        inside = children(inside)[0]
    if inside is None or len(children(inside)) != 2 or not isinstance(limit, int | float):
        return
    middle = folded(children(inside)[1], dialect)
    if operator_of(inside) == "-" and isinstance(middle, int | float) and math.isfinite(limit):
        yield Range(words(children(inside)[0])[:_LONGEST], middle - limit, middle + limit)
