"""The numbers that a file gives a name, so that a limit is known by its number."""

from __future__ import annotations

import re

from tree_sitter import Node

from ai_ops.core.guard.syntax.dialect import Dialect
from ai_ops.core.guard.syntax.folding import folded
from ai_ops.core.guard.syntax.tree import children, field, nodes, text, words
from ai_ops.core.guard.syntax.values import CAPITALS

_LIMITS = re.compile(r"\A[\w.:]*(?:MAX_(?:VALUE|SAFE_INTEGER)|Max(?:U?[Ii]nt|Float)\w*|maxsize)\Z")


def named_numbers(root: Node, dialect: Dialect) -> dict[str, str]:
    """Return the numbers that a file gives a name in capitals, once each, or a name of Go's constants."""
    found: dict[str, str] = {}
    kinds = {kind: (name, value) for kind, name, value in dialect.bound}
    for node in nodes(root):
        if node.type not in kinds:
            continue
        name, value = text(field(node, kinds[node.type][0])), field(node, kinds[node.type][1])
        while value is not None and value.type == "expression_list" and len(children(value)) == 1:
            value = children(value)[0]
        fixed = CAPITALS.match(name) is not None or node.type == "const_spec"
        if value is None or not fixed:
            continue
        worked_out = None if value.type in dialect.numbers else folded(value, dialect)
        if value.type in dialect.numbers or _LIMITS.search(text(value)[:200]):
            found[name] = "" if name in found else words(value)
        elif isinstance(worked_out, int | float):
            found[name] = "" if name in found else str(worked_out)
    return {name: value for name, value in found.items() if value}
