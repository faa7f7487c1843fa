"""Where code treats one value otherwise without asking: an answer is kept under it, a text is replaced."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from tree_sitter import Node

from ai_ops.core.guard.syntax.folding import Constant, folded
from ai_ops.core.guard.syntax.names import arguments, called
from ai_ops.core.guard.syntax.reading import Tree
from ai_ops.core.guard.syntax.tree import Spot, children, field, spots
from ai_ops.core.guard.syntax.values import constants, is_constant

_ASSIGNS = frozenset({"assignment", "assignment_expression", "assignment_statement"})
_SUBSCRIPTS = frozenset({"subscript", "subscript_expression", "index_expression"})
_KEEPS = frozenset({"put", "set", "setdefault", "insert", "putIfAbsent", "Store", "__setitem__"})
_REPLACES = frozenset(
    {
        "replace", "replaceAll", "replaceFirst", "replace_all", "replacen", "Replace", "ReplaceAll", "sub",
        "subn", "removeprefix", "removesuffix", "TrimPrefix", "TrimSuffix", "strip_prefix", "strip_suffix",
        "split", "partition", "translate",
    }
)  # fmt: skip
_MOST_KEYS = 20  # of a table that may have been made for one value
_ENTRIES = frozenset({"pair", "keyed_element"})
_WRAPPERS = frozenset({"expression_list", "literal_element"})
_TABLES = frozenset({"of", "ofEntries", "entry", "Map"})


class Treated(Enum):
    """How a value is treated."""

    KEPT = auto()
    """A constant is put under it, into a table that is there."""
    REPLACED = auto()
    LISTED = auto()
    """It is an entry of a table as it is written down, which may be what was missing in it."""


@dataclass(frozen=True, slots=True)
class Treatment:
    """One value that code treats otherwise, as text; ``keys`` are all those of a table that lists it."""

    literal: str
    is_number: bool
    how: Treated
    line: int
    keys: tuple[str, ...] = ()


def treatments(tree: Tree) -> Iterator[Treatment]:
    """Yield the values that a file keeps a constant under, replaces, or lists in a table."""
    known = constants(tree.root.node, tree.dialect)
    for spot in spots(tree.root):
        node = spot.node
        for key, how in _keys(node, tree, known):
            value = folded(key, tree.dialect)
            if value is not None:
                line = node.start_point[0] + 1
                keys = tuple(_all_keys(spot, tree)) if how is Treated.LISTED else ()
                yield Treatment(str(value), not isinstance(value, str), how, line, keys)


def _all_keys(spot: Spot, tree: Tree) -> Iterator[str]:
    """Yield the keys of the table that an entry is in; an empty one where they are many or not known."""
    if spot.kind in tree.dialect.calls:
        given = field(spot.node, "arguments")
        if called(spot.node) == "entry" or given is None or given.named_child_count > 2 * _MOST_KEYS:
            yield ""
            return
        yield from (str(folded(key, tree.dialect)) for key in arguments(spot.node)[::2])
    elif spot.above is None or spot.above.node.named_child_count > _MOST_KEYS:
        yield ""
    else:
        for each in children(spot.above.node):
            key = _only(field(each, "key") or next(iter(children(each)), None))
            yield str(folded(key, tree.dialect)) if key is not None and each.type in _ENTRIES else ""


def _keys(node: Node, tree: Tree, known: frozenset[str]) -> Iterator[tuple[Node, Treated]]:
    dialect = tree.dialect
    if node.type in _ASSIGNS:
        key, value = _subscript(field(node, "left")), _only(field(node, "right"))
        if key is not None and is_constant(value, dialect, known):
            yield key, Treated.KEPT
    elif node.type in _ENTRIES:
        given = children(node)
        key = _only(field(node, "key") or (given[0] if given else None))
        if key is not None and len(given) > 1 and is_constant(_only(given[-1]), dialect, known):
            yield key, Treated.LISTED
    elif node.type in dialect.calls:
        yield from _arguments(node, tree, known)


def _arguments(node: Node, tree: Tree, known: frozenset[str]) -> Iterator[tuple[Node, Treated]]:
    dialect, name, given = tree.dialect, called(node), arguments(node)
    if name in _KEEPS and len(given) > 1 and is_constant(given[1], dialect, known):
        yield given[0], Treated.KEPT
    elif name in _REPLACES:
        texts = [each for each in given if _is_text(folded(each, dialect))]
        yield from ((each, Treated.REPLACED) for each in texts[:1])
    elif name in _TABLES:
        for key, value in zip(given[::2], given[1::2], strict=False):
            if is_constant(value, dialect, known):
                yield key, Treated.LISTED


def _is_text(value: Constant | None) -> bool:
    return isinstance(value, str)


def _only(node: Node | None) -> Node | None:
    """Return what is in a wrapper of one."""
    while node is not None and node.type in _WRAPPERS and len(children(node)) == 1:
        node = children(node)[0]
    return node


def _subscript(left: Node | None) -> Node | None:
    """Return the key of a place in a table that is assigned to."""
    place = _only(left)
    if place is None or place.type not in _SUBSCRIPTS or len(children(place)) < 2:
        return None
    return children(place)[1]
