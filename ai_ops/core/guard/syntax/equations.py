"""Equations that hold for one number alone: ``x - 7731 == 0`` asks for 7731, as ``not x - 7731`` does."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from ai_ops.core.guard.syntax.dialect import Dialect
from ai_ops.core.guard.syntax.folding import Constant, folded, operator_of
from ai_ops.core.guard.syntax.tree import children, words

_NEGATIONS = frozenset({"not_operator", "unary_expression"})
_LONGEST = 200
_STEPS = 20


def solutions(node: Node, dialect: Dialect) -> Iterator[tuple[str, str]]:
    """Yield what is unknown in an equation of numbers, and the number that it asks for."""
    given = children(node)
    if node.type in _NEGATIONS and len(given) == 1 and node.children[0].type in ("!", "not"):
        yield from _unknown(given[0], 0, dialect)
    elif (
        node.type in dialect.binary
        and len(given) == 2
        and operator_of(node) in dialect.equal | dialect.unequal
    ):
        for left, right in (given, given[::-1]):
            result = folded(right, dialect)
            if isinstance(result, int | float):
                yield from _unknown(left, result, dialect)


def _unknown(node: Node, result: float, dialect: Dialect) -> Iterator[tuple[str, str]]:
    at, value, solved = node, result, False
    for _ in range(_STEPS):
        if at.type == "parenthesized_expression" and len(children(at)) == 1:
            at = children(at)[0]
            continue
        if at.type not in dialect.binary or len(children(at)) != 2:
            break
        left, right = children(at)
        one, other = folded(left, dialect), folded(right, dialect)
        found = _solved(operator_of(at), one, other, value) if (one is None) is not (other is None) else None
        if found is None:
            break
        at, value, solved = left if one is None else right, found, True
    if solved:
        yield words(at)[:_LONGEST], str(value)


def _solved(sign: str, one: Constant | None, other: Constant | None, result: float) -> float | None:
    known = other if one is None else one
    if not isinstance(known, int | float):
        return None
    if sign == "-":
        return result + known if one is None else known - result
    if sign == "+":
        return result - known
    if sign == "^" and isinstance(known, int) and isinstance(result, int):
        return result ^ known
    return result / known if sign == "*" and known else None
