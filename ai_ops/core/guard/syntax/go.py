"""Go, where errors are values."""

from __future__ import annotations

import re
from collections.abc import Iterator

import tree_sitter_go
from tree_sitter import Language, Node

from ai_ops.core.guard.syntax.dialect import Caught, Dialect, Dropped
from ai_ops.core.guard.syntax.names import called, last
from ai_ops.core.guard.syntax.tree import Spot, children, field, nodes, spots, text

_FUNCTIONS = frozenset({"function_declaration", "method_declaration", "func_literal"})
_ERROR = re.compile(r"\A\w*[eE]rr(?:or)?\w*\Z")
_CHECK = re.compile(r"\A(\w*[eE]rr(?:or)?)\s*!=\s*nil\Z")
_NO_ERROR = re.compile(r"\A(\w*[eE]rr(?:or)?)\s*==\s*nil\Z")
_PARTICULAR = re.compile(r"\berrors\.(?:Is|As)\(\s*(\w+)\s*,\s*&?([\w.]+)|\bos\.Is\w+\((\w+)\)")
_STOPS = frozenset({"panic", "Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln"})
_MAKES = re.compile(
    r"\A(?:errors\.|fmt\.Errorf|.*\bErr[A-Z]|.*[eE]rr(?:or)?\(|&?\w*\.?\w*Error\{|status\.Error)"
)


def dialect() -> Dialect:
    """Return Go."""
    return Dialect(
        name="go",
        language=Language(tree_sitter_go.language()),
        functions=_FUNCTIONS,
        named=frozenset({"function_declaration", "method_declaration", "type_spec"}),
        conditionals=frozenset({"if_statement"}),
        loops=frozenset({"for_statement"}),
        calls=frozenset({"call_expression"}),
        strings=frozenset({"interpreted_string_literal", "raw_string_literal", "rune_literal"}),
        numbers=frozenset({"int_literal", "float_literal"}),
        constants=frozenset({"nil", "true", "false"}),
        compound=frozenset(
            {
                "expression_list", "unary_expression", "binary_expression", "parenthesized_expression",
                "composite_literal", "literal_value", "literal_element", "keyed_element", "type_identifier",
                "qualified_type", "package_identifier", "slice_type", "map_type", "field_identifier",
                "array_type", "pointer_type", "struct_type",
            }
        ),
        leaves=frozenset({"return_statement", "break_statement", "continue_statement", "goto_statement"}),
        binary=frozenset({"binary_expression"}),
        bound=(
            ("short_var_declaration", "left", "right"),
            ("assignment_statement", "left", "right"),
            ("const_spec", "name", "value"),
            ("var_spec", "name", "value"),
        ),
        raised=_raised,
        caught=_caught,
        dropped=_dropped,
        errors_are_values=True,
        cases=frozenset({"expression_case"}),
        blocks=frozenset({"block", "statement_list"}),
        imports=frozenset({"import_declaration", "package_clause"}),
        collections=frozenset({"literal_value"}),
    )  # fmt: skip


def _raised(spot: Spot) -> str | None:
    node = spot.node
    if node.type == "call_expression" and called(node) in _STOPS:
        return "panic" if called(node) == "panic" else "exit"
    if node.type != "return_statement":
        return None
    values = _values(node)
    if not values or values[-1].type in ("nil", "true", "false"):
        return None
    given = text(values[-1])
    if _ERROR.match(given) and not given.startswith("Err"):
        return "" if _gives_error(spot) else None
    return last(given.partition("(")[0].partition("{")[0]) or "error" if _MAKES.match(given) else None


def _values(node: Node) -> list[Node]:
    given = next(iter(children(node)), None)
    if given is None:
        return []
    return children(given) if given.type == "expression_list" else [given]


def _gives_error(spot: Spot) -> bool:
    """Whether the function around returns an error, as far as it can be seen."""
    around = next((each for each in spot.around() if each.kind in _FUNCTIONS), None)
    return (
        around is None
        or "error" in text(field(around.node, "result")).lower()
        or not field(around.node, "result")
    )


def _caught(root: Spot) -> Iterator[Caught]:
    uses: dict[int, dict[str, int]] = {}
    for spot in spots(root):
        node = spot.node
        if node.type == "if_statement":
            yield from _checked(spot, uses)
        elif node.type == "call_expression" and text(field(node, "function")) == "recover":
            yield _recovered(spot)


def _checked(spot: Spot, uses: dict[int, dict[str, int]]) -> Iterator[Caught]:
    """Yield ``if err != nil {…}`` and ``if errors.Is(err, …) {…}``; ``uses`` keeps what was asked for."""
    node = spot.node
    condition, body = field(node, "condition"), field(node, "consequence")
    parts = [text(condition).strip("()"), *re.split(r"\s*&&\s*", text(condition))]
    for part in parts:
        if found := _CHECK.match(part):
            yield Caught(spot, frozenset(), found[1], body, narrowed="&&" in text(condition))
            return
    if found := _PARTICULAR.search(text(condition)):
        if not text(condition).startswith("!"):
            yield Caught(
                spot, frozenset({last(found[2] or "") or "error"}), found[1] or found[3], body, narrowed=True
            )
    elif (found := _NO_ERROR.match(parts[0])) and field(node, "alternative") is None:
        around = next((each for each in spot.around() if each.kind in _FUNCTIONS), None)
        if around is not None and around.node.id not in uses:
            uses[around.node.id] = _last_uses(around.node)
        told = around is not None and uses[around.node.id].get(found[1], 0) > node.end_byte
        if not told:
            yield Caught(spot, frozenset(), found[1], None)


def _last_uses(function: Node) -> dict[str, int]:
    """Return where each name of a function is used last, in bytes."""
    return {text(each): each.start_byte for each in nodes(function) if each.type == "identifier"}


def _recovered(spot: Spot) -> Caught:
    """Return a ``recover()`` with the whole deferred function, which may panic again."""
    around = next((each for each in spot.around() if each.kind in _FUNCTIONS), None)
    name = ""
    for each in spot.around():
        if each.kind in ("short_var_declaration", "assignment_statement"):
            name = text(field(each.node, "left"))
        if each.kind in _FUNCTIONS:
            break
    body = field(around.node, "body") if around else None
    for node in nodes(body) if body is not None and name else ():
        if node.type == "if_statement" and text(field(node, "condition")) == f"{name} != nil":
            body = field(node, "consequence")
    return Caught(spot, frozenset({"recover"}), name, body)


def _dropped(root: Spot) -> Iterator[Dropped]:
    """Yield calls whose last value is ``_``, and ``_ = err``."""
    for spot in spots(root):
        node = spot.node
        if node.type not in ("short_var_declaration", "assignment_statement"):
            continue
        left, right = field(node, "left"), field(node, "right")
        names = [text(each) for each in children(left)] if left is not None else []
        values = children(right) if right is not None else []
        if not names or names[-1] != "_" or len(values) != 1:
            continue
        if values[0].type == "call_expression":
            yield Dropped(spot, called(values[0]), "its error is given to _")
        elif values[0].type == "identifier" and _ERROR.match(text(values[0])):
            yield Dropped(spot, "", f"{text(values[0])} is given to _")
