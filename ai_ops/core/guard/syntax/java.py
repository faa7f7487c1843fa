"""Java."""

from __future__ import annotations

import re
from collections.abc import Iterator

import tree_sitter_java
from tree_sitter import Language, Node

from ai_ops.core.guard.syntax.dialect import Caught, Dialect
from ai_ops.core.guard.syntax.names import arguments, called, last, receiver
from ai_ops.core.guard.syntax.tree import Spot, children, field, nodes, spots, text

_FUNCTIONS = frozenset({"method_declaration", "constructor_declaration", "lambda_expression"})
_LEAVES = frozenset({"return_statement", "break_statement", "continue_statement", "yield_statement"})
_CHECKS = frozenset(
    {
        "requireNonNull", "checkArgument", "checkState", "checkNotNull", "checkIndex", "checkElementIndex",
        "notNull", "isTrue", "hasText", "hasLength", "notEmpty", "isInstanceOf", "validState",
        "requireNonNullElseThrow",
    }
)  # fmt: skip
_FUTURES = frozenset({"exceptionally", "onErrorReturn", "onErrorResume", "onErrorComplete"})
_HANDLES = frozenset({"handle", "handleAsync"})
_HOOKS = frozenset({"setDefaultUncaughtExceptionHandler", "setUncaughtExceptionHandler"})
_TRIED = re.compile(r"\bTry\s*\.\s*(?:of|run|success|ofSupplier|ofCallable|withResources)\b")
_ELSE = frozenset(
    {"getOrElse", "getOrElseGet", "getOrNull", "recover", "recoverWith", "toOption", "toJavaOptional"}
)


def dialect() -> Dialect:
    """Return Java."""
    return Dialect(
        name="java",
        language=Language(tree_sitter_java.language()),
        functions=_FUNCTIONS,
        named=frozenset(
            {
                "method_declaration", "constructor_declaration", "class_declaration", "record_declaration",
                "enum_declaration", "interface_declaration",
            }
        ),
        conditionals=frozenset({"if_statement", "ternary_expression"}),
        loops=frozenset({"for_statement", "enhanced_for_statement", "while_statement", "do_statement"}),
        calls=frozenset({"method_invocation", "object_creation_expression"}),
        strings=frozenset({"string_literal", "character_literal"}),
        numbers=frozenset(
            {
                "decimal_integer_literal", "decimal_floating_point_literal", "hex_integer_literal",
                "octal_integer_literal", "binary_integer_literal",
            }
        ),
        constants=frozenset({"null_literal", "true", "false"}),
        compound=frozenset(
            {
                "unary_expression", "parenthesized_expression", "binary_expression", "cast_expression",
                "ternary_expression", "array_creation_expression", "array_initializer", "dimensions_expr",
                "integral_type", "floating_point_type", "type_identifier", "boolean_type", "dimensions",
            }
        ),
        leaves=_LEAVES,
        binary=frozenset({"binary_expression"}),
        bound=(("variable_declarator", "name", "value"), ("assignment_expression", "left", "right")),
        raised=_raised,
        asserted=_asserted,
        caught=_caught,
        cases=frozenset({"switch_label"}),
        marks=frozenset({"annotation", "marker_annotation"}),
        imports=frozenset({"import_declaration", "package_declaration"}),
        collections=frozenset({"array_initializer"}),
    )  # fmt: skip


def _raised(spot: Spot) -> str | None:
    node = spot.node
    if node.type == "throw_statement":
        made = next(iter(children(node)), None)
        is_new = made is not None and made.type in ("object_creation_expression", "method_invocation")
        return called(made) if made is not None and is_new else ""
    if node.type == "method_invocation" and called(node) == "orElseThrow":
        made = next((each for each in nodes(node) if each.type == "object_creation_expression"), None)
        return called(made) if made is not None else "NoSuchElementException"
    return "AssertionError" if _asserted(node) is not None else None


def _asserted(node: Node) -> Node | None:
    if node.type == "assert_statement":
        return next(iter(children(node)), None)
    is_check = node.type == "method_invocation" and called(node) in _CHECKS
    return field(node, "arguments") if is_check else None


def _caught(root: Spot) -> Iterator[Caught]:
    for spot in spots(root):
        node = spot.node
        if node.type == "catch_clause":
            parameter = next((each for each in children(node) if each.type == "catch_formal_parameter"), None)
            kinds = (
                next((each for each in parameter.named_children if each.type == "catch_type"), None)
                if (parameter is not None)
                else None
            )
            types = (
                frozenset(last(text(each)) for each in children(kinds)) if kinds is not None else frozenset()
            )
            name = text(field(parameter, "name")) if parameter is not None else ""
            yield Caught(spot, types, name, field(node, "body"))
        elif node.type == "finally_clause":
            if any(each.type in _LEAVES for each in nodes(node, _FUNCTIONS)):
                yield Caught(spot, frozenset(), "", None)
        elif node.type == "method_invocation":
            yield from _future(spot)


def _future(spot: Spot) -> Iterator[Caught]:
    name, given = called(spot.node), arguments(spot.node)
    dropped = name in _ELSE and _TRIED.search(text(receiver(spot.node))[:2000])
    if name in _HOOKS or dropped:
        yield Caught(spot, frozenset(), "", None)
    elif name in _HANDLES and given and given[0].type == "lambda_expression":
        yield from _handled(spot, given[0])
    elif name in _FUTURES and given:
        handler = given[-1]
        if handler.type == "lambda_expression":
            body = field(handler, "body")
            variable = text(field(handler, "parameters")).strip("()")
            yield Caught(spot, frozenset(), variable, body, body is not None and body.type != "block")
        else:
            yield Caught(spot, frozenset(), "", handler, is_value=True)


def _handled(spot: Spot, handler: Node) -> Iterator[Caught]:
    """Yield a function that is given a result or an error, when it never raises the error."""
    names = re.findall(r"\w+(?=\s*[,)])", text(field(handler, "parameters")))
    body = field(handler, "body")
    if len(names) == 2 and body is not None and all(_raised(each) is None for each in spots(Spot(body))):
        yield Caught(spot, frozenset(), names[1], body, body.type != "block")
