"""A rule about values that are changed before a check sees them: it is there and refuses nothing any more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tree_sitter import Node

from ai_ops.core.guard.comparing import compared
from ai_ops.core.guard.findings import Change, Finding
from ai_ops.core.guard.syntax import Spot, Tree
from ai_ops.core.guard.syntax.checks import LEAVES, Check, checks
from ai_ops.core.guard.syntax.conditions import read_condition
from ai_ops.core.guard.syntax.folding import folded
from ai_ops.core.guard.syntax.names import arguments, called, receiver, scope
from ai_ops.core.guard.syntax.tree import children, field, spots, text, words
from ai_ops.core.guard.syntax.values import is_constant

_FROM_ABOVE = frozenset({"min", "Min", "coerceAtMost", "clamp", "clip", "coerceIn"})
_FROM_BELOW = frozenset({"max", "Max", "coerceAtLeast", "clamp", "clip", "coerceIn", "abs", "Abs", "fabs"})
_ABSOLUTE = frozenset({"abs", "Abs", "fabs"})
_NOTHING: Mapping[tuple[str, str], frozenset[str]] = {}
_LARGER, _SMALLER = frozenset({">", ">="}), frozenset({"<", "<="})


@dataclass(frozen=True, slots=True)
class _Clamp:
    """A variable that is given another value: kept within limits, or set under a condition."""

    scope: str
    name: str
    line: int
    code: str
    calls: tuple[Node, ...]
    when: frozenset[frozenset[str]]


def clamped_before_checks(change: Change) -> Iterator[Finding]:
    """Find new assignments that take from a check, which was there before, what it refuses."""
    for path, before, after in compared(change):
        old = {(each.scope, each.code) for each in _clamps(before)}
        given = _given(before)
        kept = {_key(check) for check in checks(before)}
        new = [each for each in _clamps(after, given) if (each.scope, each.code) not in old]
        for check in checks(after) if new else ():
            taken = _taken(check, new, after) if _key(check) in kept and check.raises != LEAVES else None
            if taken is not None:
                text = (
                    f"{taken.name} is changed before the check of line {check.line}, which refuses it no more"
                )
                yield Finding("check_loosened", f"{path}:{taken.line}", text)


def _key(check: Check) -> tuple[str, str, str, bool]:
    return check.scope, check.raises, check.when.code, check.demanded


def _given(tree: Tree) -> dict[tuple[str, str], frozenset[str]]:
    """Return the names in what each variable is given first, by its function."""
    kinds = {kind: (name, value) for kind, name, value in tree.dialect.bound}
    found: dict[tuple[str, str], frozenset[str]] = {}
    for spot in spots(tree.root):
        if spot.kind in kinds:
            name, value = (_only(field(spot.node, each)) for each in kinds[spot.kind])
            found.setdefault((scope(spot, tree.dialect), text(name)), _names(value))
    return found


def _names(value: Node | None) -> frozenset[str]:
    return frozenset(each for each in words(value).split(" ") if each.isidentifier())


def _clamps(tree: Tree, given: Mapping[tuple[str, str], frozenset[str]] = _NOTHING) -> list[_Clamp]:
    """Return what is clamped; ``given`` says what variables were before, which may be clamped at once."""
    kinds = {kind: (name, value) for kind, name, value in tree.dialect.bound}
    found = []
    for spot in spots(tree.root):
        if spot.kind not in kinds:
            continue
        name, value = (_only(field(spot.node, each)) for each in kinds[spot.kind])
        if name is None or value is None or not text(name).isidentifier():
            continue
        was = given.get((scope(spot, tree.dialect), text(name)), frozenset())
        calls = tuple(_calls(value, text(name), was, tree))
        when = _when(spot, tree) if is_constant(value, tree.dialect, frozenset()) else frozenset()
        if calls or when:
            where, code = scope(spot, tree.dialect), words(spot.node)
            found.append(_Clamp(where, text(name), spot.line, code, calls, when))
    return found


def _only(node: Node | None) -> Node | None:
    return (
        children(node)[0] if node is not None and len(children(node)) == 1 and "list" in node.type else node
    )


def _calls(value: Node, name: str, was: frozenset[str], tree: Tree) -> Iterator[Node]:
    """Yield the calls that keep the variable, or what it was, within a limit, those within each other too."""
    waiting = [value]
    while waiting:
        at = waiting.pop()
        if at.type in tree.dialect.calls and called(at) in _FROM_ABOVE | _FROM_BELOW:
            if f" {name} " in f" {words(at)} " or (was and was <= _names(at)):
                yield at
            waiting += arguments(at)
            on = receiver(at)
            waiting += [on] if on is not None else []


def _when(spot: Spot, tree: Tree) -> frozenset[frozenset[str]]:
    """Return when a constant is assigned: in a branch of a condition."""
    for above in spot.around():
        if above.kind in tree.dialect.functions:
            break
        if above.kind in tree.dialect.conditionals:
            return read_condition(field(above.node, "condition"), tree.dialect).either
    return frozenset()


def _taken(check: Check, clamps: list[_Clamp], tree: Tree) -> _Clamp | None:
    """Return the assignment before a check that leaves nothing of a part of its condition."""
    for clamp in clamps:
        if clamp.scope != check.scope or clamp.line >= check.line:
            continue
        parts = [part for way in check.when.either for part in way if clamp.name in part.split(" ")]
        if any(frozenset({part}) in clamp.when for part in parts):
            return clamp
        for part in parts:
            if any(_is_dead(part, clamp.name, call, tree, check.demanded) for call in clamp.calls):
                return clamp
    return None


def _is_dead(part: str, name: str, call: Node, tree: Tree, demanded: bool) -> bool:
    """Whether a comparison of a variable cannot refuse it any more, once it was kept within a limit."""
    said = part.split(" ")
    for at, sign in enumerate(said[:-1]):
        if sign not in _LARGER | _SMALLER or at == 0:
            continue
        left, right = _in_call(said, at), said[at + 1]
        if name not in (left, right):
            continue
        limit = right if left == name else left
        from_above = ((sign in _LARGER) is (left == name)) is not demanded
        if _keeps_within(call, limit, tree, from_above=from_above):
            return True
    return False


def _in_call(said: list[str], at: int) -> str:
    """Return what stands before a sign: of ``abs ( x )`` the x."""
    call = said[at - 4 : at] if at >= 4 else []
    return call[2] if call and call[0] in _ABSOLUTE and (call[1], call[3]) == ("(", ")") else said[at - 1]


def _keeps_within(call: Node, limit: str, tree: Tree, *, from_above: bool) -> bool:
    if called(call) not in (_FROM_ABOVE if from_above else _FROM_BELOW):
        return False
    given = arguments(call)
    if any(words(each) == limit for each in given):
        return True
    values = [folded(each, tree.dialect) for each in given]
    numbers = [each for each in values if isinstance(each, int | float)]
    if "abs" in called(call).lower():
        numbers = [0]
    try:
        wanted = float(limit)
    except ValueError:
        return False
    return any(each <= wanted if from_above else each >= wanted for each in numbers)
