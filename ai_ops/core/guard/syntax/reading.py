"""A file as a syntax tree."""

from __future__ import annotations

from dataclasses import dataclass

from tree_sitter import Parser

from ai_ops.core.guard.syntax.dialect import Dialect
from ai_ops.core.guard.syntax.languages import dialect_of
from ai_ops.core.guard.syntax.tree import Spot

_LONGEST = 2_000_000  # bytes; more is no source that anybody wrote


@dataclass(frozen=True, slots=True)
class Tree:
    """A file that was read. ``is_whole`` when the grammar understood all of it."""

    path: str
    dialect: Dialect
    root: Spot
    is_whole: bool


def read(path: str, source: str | None) -> Tree | None:
    """Return a file's tree; None when its language is not known here, or it is too long."""
    dialect = dialect_of(path)
    encoded = (source or "").encode("utf-8", "replace")
    if dialect is None or len(encoded) > _LONGEST:
        return None
    root = Parser(dialect.language).parse(encoded).root_node
    return Tree(path, dialect, Spot(root), not root.has_error)
