"""Validating calls of which one is gone, because what it was given is taken from another place now."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from ai_ops.core.guard.findings import Change
from ai_ops.core.guard.syntax import Spot, Tree, read
from ai_ops.core.guard.syntax.names import arguments, called, function_scope
from ai_ops.core.guard.syntax.tree import children, field, nodes, spots, text, words


def has_other_source(change: Change, path: str, name: str) -> bool:
    """Whether each call of that name which is gone from a file validated what now is another value.

    That is so where its function still makes such a call, and gives the checked name another value: what
    is taken out of another table may need no check that what came out of the first one did.
    """
    before, after = (read(path, change.text(reader, path)) for reader in (change.base, change.after))
    if before is None or after is None:
        return False
    left = [(function_scope(spot, after.dialect), words(spot.node)) for spot in _calls(after, name)]
    scopes = {where for where, _ in left}
    gone = []
    for spot in _calls(before, name):
        key = (function_scope(spot, before.dialect), words(spot.node))
        if key in left:
            left.remove(key)
        else:
            gone.append(spot)
    return bool(gone) and all(
        (where := function_scope(spot, before.dialect)) in scopes
        and _is_another(spot.node, where, before, after)
        for spot in gone
    )


def _calls(tree: Tree, name: str) -> Iterator[Spot]:
    return (
        each for each in spots(tree.root) if each.kind in tree.dialect.calls and called(each.node) == name
    )


def _is_another(call: Node, where: str, before: Tree, after: Tree) -> bool:
    given = arguments(call)
    checked = next((text(each) for each in nodes(given[0]) if each.type == "identifier"), "") if given else ""
    then, now = (_values(checked, where, tree) for tree in (before, after))
    return bool(checked and then and now) and then.isdisjoint(now)


def _values(name: str, where: str, tree: Tree) -> frozenset[str]:
    """Return what a name is given in a function."""
    kinds = {kind: (left, right) for kind, left, right in tree.dialect.bound}
    found = set()
    for spot in spots(tree.root):
        if spot.kind in kinds and function_scope(spot, tree.dialect) == where:
            left, right = (field(spot.node, each) for each in kinds[spot.kind])
            names = [left, *children(left)] if left is not None else []
            if right is not None and name in map(text, names):
                found.add(words(right))
    return frozenset(found)
