"""A file as a syntax tree."""

from __future__ import annotations

from dataclasses import dataclass

from tree_sitter import Node, Parser

from ai_ops.core.guard.syntax.dialect import Dialect
from ai_ops.core.guard.syntax.languages import dialect_of
from ai_ops.core.guard.syntax.tree import Root, Spot

_LONGEST = 2_000_000  # bytes; more is no source that anybody wrote
_KEPT = 200_000  # bytes; all places of a longer file would take too much memory
_HANDLERS = frozenset({"catch_clause", "except_clause", "except_group_clause"})
_MOST_HANDLERS = (
    12  # in each other: the rules look at all that a handler holds, so each level costs the whole
)
_DEEPEST = 400  # levels, where code that people write has some fifty; a rule may ask about each pair of them


@dataclass(frozen=True, slots=True)
class Tree:
    """A file that was read. ``is_whole`` when the grammar understood all of it."""

    path: str
    dialect: Dialect
    root: Spot
    is_whole: bool


def read(path: str, source: str | None) -> Tree | None:
    """Return a file's tree; None when its language is not known here, or it is too long or too deep."""
    dialect = dialect_of(path)
    encoded = (source or "").encode("utf-8", "replace")
    if dialect is None or len(encoded) > _LONGEST:
        return None
    root = Parser(dialect.language).parse(encoded).root_node
    if _is_too_deep(root):
        return None
    top = Root(root) if len(encoded) <= _KEPT else Spot(root)
    return Tree(path, dialect, top, not root.has_error)


def _is_too_deep(root: Node) -> bool:
    waiting = [(root, 0, 0)]
    while waiting:
        node, depth, handlers = waiting.pop()
        handlers += node.type in _HANDLERS
        if depth > _DEEPEST or handlers > _MOST_HANDLERS:
            return True
        waiting.extend((child, depth + 1, handlers) for child in node.children)
    return False
