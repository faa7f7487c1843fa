"""What follows from a condition: work, or nothing but a constant and an early end."""

from __future__ import annotations

from itertools import islice

from tree_sitter import Node

from ai_ops.core.guard.syntax.folding import operator_of
from ai_ops.core.guard.syntax.reading import Tree
from ai_ops.core.guard.syntax.tree import Spot, children, field, nodes
from ai_ops.core.guard.syntax.values import is_constant

_CASES = frozenset({"switch_rule", "switch_block_statement_group"})


def answers(spot: Spot, tree: Tree, known: frozenset[str]) -> list[Node]:
    """Return the literals of what follows from a comparison, where that is nothing but a constant."""
    dialect = tree.dialect
    below = spot
    parts: list[Node | None] = []
    for above in (spot, *spot.around()):
        node = above.node
        if above.kind in _CASES or (above.kind in dialect.cases and above.kind != "switch_label"):
            parts = [*_case_body(node, below.node)]
            break
        if above.kind in dialect.conditionals:
            if node.type == "conditional_expression" and len(children(node)) == 3:
                parts = [children(node)[0]]
            else:
                parts = [field(node, "consequence", "body")]
            break
        if above.kind in dialect.functions:
            break
        below = above
    kinds = dialect.strings | dialect.numbers
    return [
        each
        for part in parts
        if part is not None and _says_nothing(part, tree, known)
        for each in nodes(part)
        if each.type in kinds
    ]


def is_plain(spot: Spot, tree: Tree, known: frozenset[str]) -> bool:
    """Whether nothing but a constant, or an early end, follows from a comparison."""
    dialect = tree.dialect
    below = spot
    for above in (spot, *spot.around()):
        node = above.node
        if above.kind in _CASES or (above.kind in dialect.cases and above.kind != "switch_label"):
            return all(_says_nothing(each, tree, known) for each in _case_body(node, below.node))
        if above.kind in dialect.conditionals:
            parts = [field(node, "consequence", "body"), field(node, "alternative")]
            if node.type == "conditional_expression":
                parts = [children(node)[0], children(node)[2]] if len(children(node)) == 3 else []
            return any(part is not None and _says_nothing(part, tree, known) for part in parts) or (
                parts[1:] == [None] and _negated(spot, tree)
            )
        if above.kind in dialect.functions:
            break
        if above.kind in ("subscript_expression", "subscript"):
            return True
        below = above
    return any(each.kind in ("return_statement", "return_expression") for each in spot.around())


def _case_body(case: Node, label: Node) -> list[Node]:
    value = field(case, "pattern", "value")
    return [
        each
        for each in children(case)
        if each != label
        and each != value
        and each.type not in ("switch_label", "case_pattern", "match_pattern")
    ]


def _negated(spot: Spot, tree: Tree) -> bool:
    """Whether the value is what the work is not done for: ``if (x != 'a') { work(); }``."""
    return operator_of(spot.node) in tree.dialect.unequal or any(
        each.node.children and each.node.children[0].type in ("!", "not")
        for each in (spot, *islice(spot.around(), 3))
    )


def _says_nothing(part: Node, tree: Tree, known: frozenset[str]) -> bool:
    """Whether a branch is constants and ends: no call, nothing that depends on the value."""
    dialect = tree.dialect
    if is_constant(part, dialect, known):
        return True
    for node in nodes(part, dialect.functions):
        if node.type in dialect.calls and not is_constant(node, dialect, known):
            return False
        if dialect.raised(Spot(node)) is not None:
            return False
    bodies = [node for node in nodes(part) if node.type in dialect.leaves]
    values = [each for node in bodies for each in children(node)]
    if bodies:
        return all(is_constant(each, dialect, known) or each.type == "identifier" for each in values)
    bound = {kind: value for kind, _, value in dialect.bound}
    assigned = [field(node, bound[node.type]) for node in nodes(part) if node.type in bound]
    return bool(assigned) and all(is_constant(each, dialect, known) for each in assigned)
