"""Walking a syntax tree without recursion, so that hostile nesting costs no more than its length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as attribute

from tree_sitter import Node

_COMMENTS = frozenset({"comment", "line_comment", "block_comment", "html_comment"})
_IDLE = frozenset({";", ","})


@dataclass(frozen=True, slots=True)
class Spot:
    """A node and the one around it, which costs nothing to ask for here."""

    node: Node
    above: Spot | None = None

    @property
    def kind(self) -> str:
        """The grammar's name of the node."""
        return self.node.type

    @property
    def line(self) -> int:
        """1-based."""
        return self.node.start_point[0] + 1

    def around(self) -> Iterator[Spot]:
        """Yield what is around the node, nearest first."""
        at = self.above
        while at is not None:
            yield at
            at = at.above


@dataclass(frozen=True, slots=True)
class Root(Spot):
    """The top of a file, which keeps all that is in it once it was walked through: most rules do.

    What it keeps leads back to it, so whoever is done with the file clears it.
    """

    kept: list[Spot] = attribute(default_factory=list, init=False, repr=False, compare=False)


def spots(top: Spot, but: frozenset[str] = frozenset()) -> Iterator[Spot]:
    """Return a node and all below it in the order of the text, without the inside of the kinds ``but``."""
    if but or not isinstance(top, Root):
        return _walk(top, but)
    if not top.kept:
        top.kept.extend(list(_walk(top, but)))  # all or nothing
    return iter(top.kept)


def _walk(top: Spot, but: frozenset[str]) -> Iterator[Spot]:
    waiting = [top]
    while waiting:
        spot = waiting.pop()
        yield spot
        if spot is top or spot.kind not in but:
            waiting.extend(Spot(child, spot) for child in reversed(spot.node.children))


def nodes(top: Node, but: frozenset[str] = frozenset()) -> Iterator[Node]:
    """Yield the nodes of ``spots``."""
    waiting = [top]
    while waiting:
        node = waiting.pop()
        yield node
        if node is top or node.type not in but:
            waiting.extend(reversed(node.children))


def children(node: Node) -> list[Node]:
    """Return the named children that are code."""
    return [child for child in node.named_children if child.type not in _COMMENTS]


def text(node: Node | None) -> str:
    """Return a node's source; empty for none."""
    return (node.text or b"").decode("utf-8", "replace") if node is not None else ""


def field(node: Node, *names: str) -> Node | None:
    """Return the first of some fields that a node has."""
    return next((found for name in names if (found := node.child_by_field_name(name)) is not None), None)


def words(node: Node | None, *, strings: frozenset[str] = frozenset()) -> str:
    """Return a node's code without comments, layout and separators; the kinds ``strings`` are whole."""
    if node is None:
        return ""
    found: list[str] = []
    waiting = [node]
    while waiting:
        at = waiting.pop()
        if at.type in _COMMENTS:
            continue
        if at.children and at.type not in strings:
            waiting.extend(reversed(at.children))
        elif at.type not in _IDLE:
            found.append(text(at))
    return " ".join(found)
