"""Which values say nothing about an error: literals, what is made of literals, and names for them."""

from __future__ import annotations

import re

from tree_sitter import Node

from ai_ops.core.guard.syntax.dialect import Dialect
from ai_ops.core.guard.syntax.names import arguments, called, last
from ai_ops.core.guard.syntax.tree import children, field, nodes, text

_EMPTY_MAKERS = re.compile(
    r"\A(?:of|empty\w*|new|default|Array|Map|Set|Object|Some|Ok|None|resolve|make|Vec|String|vec|HashMap|HashSet"
    r"|BTreeMap|(?:Array|Linked)(?:List|Deque)|(?:Linked)?Hash(?:Map|Set)|Tree(?:Map|Set)|valueOf|Number|Boolean"
    r"|parseInt|ofNullable|just|dict|list|set|tuple|int|str|float|Decimal|BigDecimal|Promise|from|to_string|to_owned"
    r"|into|asList|singleton\w*|unmodifiable\w*)\Z"
)
CAPITALS = re.compile(r"\A(?:[\w.]|::)*\b[A-Z][A-Z0-9_]*\Z")
_NAMES = frozenset({"identifier", "property_identifier", "field_identifier", "type_identifier"})
_DOTTED = frozenset(
    {"member_expression", "field_access", "selector_expression", "scoped_identifier", "attribute"}
)
_TOKENS = frozenset({"undefined", "nil", "None", "NaN", "Infinity", "iota"})
_DEPTH = 30


def constants(root: Node, dialect: Dialect) -> frozenset[str]:
    """Return the names of a file that are bound to constants and to nothing else."""
    bound: dict[str, bool] = {}
    kinds = {kind: (name, value) for kind, name, value in dialect.bound}
    for node in nodes(root):
        if node.type not in kinds:
            continue
        name_field, value_field = kinds[node.type]
        name, value = text(field(node, name_field)), field(node, value_field)
        if value is not None and name.isidentifier():
            bound[name] = bound.get(name, True) and is_constant(value, dialect, frozenset())
    return frozenset(name for name, plain in bound.items() if plain)


def is_constant(node: Node | None, dialect: Dialect, known: frozenset[str], depth: int = _DEPTH) -> bool:
    """Whether a value is the same whatever happened; what is nested too deeply is not."""
    if node is None:
        return True
    if depth == 0:
        return False
    kind = node.type
    if kind in dialect.constants or kind in dialect.numbers or text(node) in _TOKENS:
        return True
    if kind in dialect.strings:
        return not any(each.type in ("template_substitution", "interpolation") for each in node.children)
    if kind == "pair":
        return is_constant(field(node, "value"), dialect, known, depth - 1)
    held = field(node, "object") if kind in _DOTTED or kind.startswith("subscript") else None
    if held is not None and held.type in dialect.collections | {"parenthesized_expression"}:
        return is_constant(held, dialect, known, depth - 1)
    if kind in _NAMES or kind in _DOTTED:
        return text(node) in known or CAPITALS.match(text(node)[:200]) is not None
    if kind in dialect.calls:
        maker = _EMPTY_MAKERS.match(called(node)) is not None
        given = arguments(node) or [each for each in children(node) if each.type == "token_tree"]
        return maker and all(is_constant(each, dialect, known, depth - 1) for each in given)
    if kind in dialect.compound or kind in dialect.collections or kind in dialect.statements:
        return all(is_constant(each, dialect, known, depth - 1) for each in children(node))
    return kind == "identifier" and last(text(node)) in known
