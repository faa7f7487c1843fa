"""Validating calls of which one is gone, because what it was given is taken from another place now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tree_sitter import Node

from ai_ops.core.guard.findings import Change
from ai_ops.core.guard.syntax import Spot, Tree
from ai_ops.core.guard.syntax.names import arguments, called, function_scope
from ai_ops.core.guard.syntax.tree import children, field, nodes, spots, text, words

_Values = dict[tuple[str, str], set[str]]


def has_other_source(change: Change, path: str, name: str) -> bool:
    """Whether each call of that name which is gone from a file validated what now is another value.

    That is so where its function still makes such a call, and gives the checked name another value: what
    is taken out of another table may need no check that what came out of the first one did.
    """
    before, after = (change.tree(path, change.text(reader, path)) for reader in (change.base, change.after))
    if before is None or after is None:
        return False
    left = Counter((function_scope(spot, after.dialect), words(spot.node)) for spot in _calls(after, name))
    scopes = {where for where, _ in left}
    gone = []
    for spot in _calls(before, name):
        key = (function_scope(spot, before.dialect), words(spot.node))
        if left[key] > 0:
            left[key] -= 1
        else:
            gone.append(spot)
    then, now = (_values(tree) if gone else {} for tree in (before, after))
    return bool(gone) and all(
        (where := function_scope(spot, before.dialect)) in scopes and _is_another(spot.node, where, then, now)
        for spot in gone
    )


def _calls(tree: Tree, name: str) -> Iterator[Spot]:
    return (
        each for each in spots(tree.root) if each.kind in tree.dialect.calls and called(each.node) == name
    )


def _is_another(call: Node, where: str, then: _Values, now: _Values) -> bool:
    given = arguments(call)
    checked = next((text(each) for each in nodes(given[0]) if each.type == "identifier"), "") if given else ""
    one, other = (values.get((where, checked), set()) for values in (then, now))
    return bool(checked and one and other) and one.isdisjoint(other)


def _values(tree: Tree) -> _Values:
    """Return what names are given, by the function and the name."""
    kinds = {kind: (left, right) for kind, left, right in tree.dialect.bound}
    found: _Values = {}
    for spot in spots(tree.root):
        if spot.kind in kinds:
            left, right = (field(spot.node, each) for each in kinds[spot.kind])
            if left is None or right is None:
                continue
            where, value = function_scope(spot, tree.dialect), words(right)
            for name in (left, *children(left)):
                found.setdefault((where, text(name)), set()).add(value)
    return found
