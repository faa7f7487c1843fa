"""A rule about questions that were asked for one account, tenant or owner, and are asked for all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as dataclass_field

from tree_sitter import Node

from ai_ops.core.guard.comparing import compared
from ai_ops.core.guard.findings import Change, Finding, Severity
from ai_ops.core.guard.syntax import Tree
from ai_ops.core.guard.syntax.names import arguments, called, function_scope
from ai_ops.core.guard.syntax.tree import Spot, children, field, nodes, spots, text
from ai_ops.core.guard.syntax.values import is_constant

RULE = "authorization_removed"
_WHOSE = re.compile(
    r"(?:account|tenant|owner|user|member|customer|org(?:ani[sz]ation)?|workspace|team)(?:_?[iI]d)?|_?created_?[bB]y"
)
_NAMED = frozenset({"pair", "keyword_argument", "keyed_element", "shorthand_property_identifier"})
_ASKS = re.compile(
    r"find|get|list|load|fetch|quer|select|search|page|count|filter|where|read|delet|remov|updat"
)
_PLAIN = frozenset({"identifier", "shorthand_property_identifier"})
_MOST = 3  # values that are looked at for a name
_Place = tuple[str, str]


def widened(change: Change) -> Iterator[Finding]:
    """Find calls that ask for data, are still made in their function, and do not say any more whose.

    A warning where the log names what they said: it may be what the call does not take. One too where the
    call is given the value in another form, or another owner: it may be the same one's.
    """
    for path, before, after in compared(change):
        calls, words = _calls(after), _words(after)
        then, now = _calls_for(before), _calls_for(after)
        fixed_for = _calls_for(after, fixed=True)
        known = _words(before)
        given_then, given_now = _given(before), _given(after)
        for (where, name), whose in then.items():
            missing = whose - now.get((where, name), frozenset())
            fixed = fixed_for.get((where, name), frozenset())
            for key in sorted(missing):
                if calls[where, name] and (key in fixed or words[where, key] < known[where, key]):
                    said = re.search(rf"\b{re.escape(key)}\b", change.logged) is not None
                    place = where, name
                    severity = (
                        Severity.WARNING
                        if said or _is_said(place, given_then, given_now)
                        else Severity.BLOCKED
                    )
                    yield Finding(RULE, path, f"{name} is not asked for one {key} any more", severity)


@dataclass(slots=True)
class _Given:
    """What the calls of one name in a function are given: the pairs that name an owner, and names by pair."""

    values: set[str] = dataclass_field(default_factory=set)
    pairs: dict[str, set[str]] = dataclass_field(default_factory=dict)


def _is_said(place: _Place, then: dict[_Place, _Given], now: dict[_Place, _Given]) -> bool:
    """Whether a call still is given the value of what is gone, or newly what else names an owner.

    What stands as it did, as the second of two owners does, says nothing about the one that is gone.
    """
    before, after = then.get(place, _Given()), now.get(place, _Given())
    new = {name for words, names in after.pairs.items() if words not in before.pairs for name in names}
    return any(name in before.values or _WHOSE.fullmatch(name) for name in new)


def _given(tree: Tree) -> dict[_Place, _Given]:
    """Return what the calls of each function are given, and what the names that they are given stand for."""
    bound = {kind: (left, right) for kind, left, right in tree.dialect.bound}
    stands_for: dict[_Place, list[Node]] = {}
    asked: list[tuple[_Place, Node]] = []
    for spot in spots(tree.root):
        where = function_scope(spot, tree.dialect)
        if spot.kind in bound:
            left, right = (field(spot.node, each) for each in bound[spot.kind])
            if left is not None and right is not None:
                for name in (left, *children(left)):
                    stands_for.setdefault((where, text(name)), []).append(right)
        if spot.kind in tree.dialect.calls and _ASKS.search(called(spot.node).lower()):
            asked += (((where, called(spot.node)), each) for each in arguments(spot.node))
    found: dict[_Place, _Given] = {}
    known: set[tuple[_Place, str]] = set()
    for place, argument in asked:
        given = found.setdefault(place, _Given())
        _put(argument, given, tree)
        names = {text(each) for each in nodes(argument) if each.type in _PLAIN}
        new = [each for each in sorted(names) if (place, each) not in known]
        known.update((place, each) for each in new)
        for one in new:
            for value in stands_for.get((place[0], one), ())[:_MOST]:
                _put(value, given, tree)
    return found


def _put(argument: Node, given: _Given, tree: Tree) -> None:
    pairs = [each for each in nodes(argument) if each.type in _NAMED]
    inner = [each for each in pairs if not any(one.type in _NAMED for one in nodes(each) if one != each)]
    for part in inner or [argument]:
        value = (children(part) or [part])[-1] if part.type in _NAMED else part
        if is_constant(value, tree.dialect, frozenset()):
            continue
        names = _handed(value)
        if _WHOSE.fullmatch(key := _key(part)):
            given.values |= names | {text(each) for each in nodes(value) if each.type == "identifier"}
            names = names | {key}
        given.pairs.setdefault(text(part), set()).update(names)
    if inner and argument.type not in _NAMED:
        outside = _handed(argument, _NAMED) - {text(argument)}
        given.pairs.setdefault(f"beside {sorted(outside)}", set()).update(outside)


def _handed(value: Node, without: frozenset[str] = frozenset()) -> set[str]:
    """Return names of a value: those that say whose it is, and those that are a whole value or argument."""
    whole = {text(value)}
    for each in nodes(value, without):
        is_argument = each.type == "identifier" and each.parent is not None and "argument" in each.parent.type
        is_leaf = "identifier" in each.type and not each.children
        if is_argument or (is_leaf and _WHOSE.fullmatch(text(each))):
            whole.add(text(each))
    return whole


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
