"""A rule about questions that were asked for one account, tenant or owner, and are asked for all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from tree_sitter import Node

from ai_ops.core.guard.findings import Change, Finding, Severity
from ai_ops.core.guard.suite import is_test
from ai_ops.core.guard.syntax import Tree, read
from ai_ops.core.guard.syntax.names import called, function_scope
from ai_ops.core.guard.syntax.tree import Spot, children, field, spots, text
from ai_ops.core.guard.syntax.values import is_constant

RULE = "authorization_removed"
_WHOSE = re.compile(
    r"(?:account|tenant|owner|user|member|customer|org(?:ani[sz]ation)?|workspace|team)(?:_?[iI]d)?|_?created_?[bB]y"
)
_NAMED = frozenset({"pair", "keyword_argument", "keyed_element", "shorthand_property_identifier"})
_ASKS = re.compile(
    r"find|get|list|load|fetch|quer|select|search|page|count|filter|where|read|delet|remov|updat"
)
_Place = tuple[str, str]


def widened(change: Change) -> Iterator[Finding]:
    """Find calls that ask for data, are still made in their function, and do not say any more whose.

    A warning where the log names what they said: it may be what the call does not take.
    """
    for file in change.files:
        if file.is_deleted or file.is_binary or is_test(change, file.path):
            continue
        before = read(file.path, change.text(change.base, file.path))
        after = read(file.path, change.text(change.after, file.path))
        if before is None or after is None:
            continue
        calls, words = _calls(after), _words(after)
        then, now = _calls_for(before), _calls_for(after)
        fixed_for = _calls_for(after, fixed=True)
        known = _words(before)
        for (where, name), whose in then.items():
            missing = whose - now.get((where, name), frozenset())
            fixed = fixed_for.get((where, name), frozenset())
            for key in sorted(missing):
                if calls[where, name] and (key in fixed or words[where, key] < known[where, key]):
                    said = re.search(rf"\b{re.escape(key)}\b", change.logged) is not None
                    severity = Severity.WARNING if said else Severity.BLOCKED
                    yield Finding(RULE, file.path, f"{name} is not asked for one {key} any more", severity)


def _calls(tree: Tree) -> Counter[_Place]:
    return Counter(
        (function_scope(spot, tree.dialect), called(spot.node))
        for spot in spots(tree.root)
        if spot.kind in tree.dialect.calls
    )


def _calls_for(tree: Tree, *, fixed: bool = False) -> dict[_Place, frozenset[str]]:
    """Return the names of identities that the calls of a function are given, by function and call.

    With ``fixed`` those that are the same for everybody.
    """
    found: dict[_Place, frozenset[str]] = {}
    for spot in spots(tree.root):
        key = _key(spot.node)
        if not _WHOSE.fullmatch(key) or _is_fixed(spot.node, tree) is not fixed:
            continue
        call = next((each for each in spot.around() if each.kind in tree.dialect.calls), None)
        if call is not None and _ASKS.search(called(call.node).lower()):
            place = (function_scope(spot, tree.dialect), called(call.node))
            found[place] = found.get(place, frozenset()) | {key}
    return found


def _key(node: Node) -> str:
    if node.type not in _NAMED:
        return ""
    if not node.named_children:
        return text(node)
    return text(field(node, "key", "name") or node.named_children[0]).strip("\"'")


def _is_fixed(node: Node, tree: Tree) -> bool:
    value = children(node)[-1] if children(node) else None
    return value is not None and is_constant(value, tree.dialect, frozenset())


def _words(tree: Tree) -> Counter[_Place]:
    """Count each name in each function: one that is only handed over otherwise still stands there."""
    found: Counter[_Place] = Counter()
    for spot in spots(tree.root):
        if _is_name(spot) and _WHOSE.fullmatch(name := text(spot.node)):
            found[function_scope(spot, tree.dialect), name] += 1
    return found


def _is_name(spot: Spot) -> bool:
    return not spot.node.children and "identifier" in spot.kind
