"""Python, for the rules that are written once for all languages; its handlers are read with ``ast``."""

from __future__ import annotations

import tree_sitter_python
from tree_sitter import Language, Node

from ai_ops.core.guard.syntax.dialect import Dialect
from ai_ops.core.guard.syntax.names import called, last
from ai_ops.core.guard.syntax.tree import Spot, children, text


def dialect() -> Dialect:
    """Return Python."""
    return Dialect(
        name="python",
        language=Language(tree_sitter_python.language()),
        functions=frozenset({"function_definition", "lambda"}),
        named=frozenset({"function_definition", "class_definition"}),
        conditionals=frozenset({"if_statement", "elif_clause", "conditional_expression"}),
        loops=frozenset({"for_statement", "while_statement"}),
        calls=frozenset({"call"}),
        strings=frozenset({"string", "concatenated_string"}),
        numbers=frozenset({"integer", "float"}),
        constants=frozenset({"none", "true", "false"}),
        compound=frozenset(
            {
                "list", "tuple", "set", "dictionary", "pair", "unary_operator", "binary_operator",
                "parenthesized_expression", "not_operator", "boolean_operator", "expression_list", "await",
            }
        ),
        leaves=frozenset({"return_statement", "break_statement", "continue_statement", "pass_statement"}),
        binary=frozenset({"comparison_operator", "boolean_operator", "binary_operator"}),
        bound=(("assignment", "left", "right"),),
        raised=_raised,
        asserted=_asserted,
        either=frozenset({"or"}),
        both=frozenset({"and"}),
        equal=frozenset({"==", "is", "in"}),
        unequal=frozenset({"!=", "is not", "not in"}),
        cases=frozenset({"case_clause"}),
        patterns=frozenset({"case_pattern"}),
        marks=frozenset({"decorator"}),
        imports=frozenset({"import_statement", "import_from_statement", "future_import_statement"}),
        collections=frozenset({"list", "tuple", "set", "dictionary"}),
    )  # fmt: skip


def _raised(spot: Spot) -> str | None:
    node = spot.node
    if node.type == "raise_statement":
        made = next(iter(children(node)), None)
        if made is None:
            return ""
        return called(made) if made.type == "call" else _class_name(text(made))
    return "AssertionError" if node.type == "assert_statement" else None


def _class_name(name: str) -> str:
    """Return a class that is raised without arguments; a variable that holds an error is passed on."""
    return last(name) if last(name)[:1].isupper() else ""


def _asserted(node: Node) -> Node | None:
    return next(iter(children(node)), None) if node.type == "assert_statement" else None
