"""JavaScript and TypeScript."""

from __future__ import annotations

from collections.abc import Iterator

import tree_sitter_javascript
import tree_sitter_typescript
from tree_sitter import Language, Node

from ai_ops.core.guard.syntax.dialect import Caught, Dialect, Dropped
from ai_ops.core.guard.syntax.names import arguments, called, last, receiver
from ai_ops.core.guard.syntax.tree import Spot, children, field, nodes, spots, text

_FUNCTIONS = frozenset(
    {
        "function_declaration", "function_expression", "arrow_function", "method_definition",
        "generator_function_declaration", "generator_function",
    }
)  # fmt: skip
_LEAVES = frozenset({"return_statement", "break_statement", "continue_statement"})
_HANDLING = frozenset({"catch", "then"})
_HOOKS = frozenset({"uncaughtException", "unhandledRejection", "error", "rejectionHandled"})
_CHECKS = frozenset({"assert", "invariant", "ok", "equal", "strictEqual", "fail", "assertIsDefined"})


def dialect() -> Dialect:
    """Return JavaScript, with JSX."""
    return _dialect("javascript", tree_sitter_javascript.language())


def typescript() -> Dialect:
    """Return TypeScript."""
    return _dialect("typescript", tree_sitter_typescript.language_typescript())


def tsx() -> Dialect:
    """Return TypeScript with JSX."""
    return _dialect("typescript", tree_sitter_typescript.language_tsx())


def _dialect(name: str, grammar: object) -> Dialect:
    return Dialect(
        name=name,
        language=Language(grammar),
        functions=_FUNCTIONS,
        named=frozenset(
            {
                "function_declaration", "method_definition", "class_declaration", "variable_declarator",
                "generator_function_declaration", "field_definition", "public_field_definition", "pair",
                "assignment_expression",
            }
        ),
        conditionals=frozenset({"if_statement", "ternary_expression"}),
        loops=frozenset({"for_statement", "for_in_statement", "while_statement", "do_statement"}),
        calls=frozenset({"call_expression", "new_expression"}),
        strings=frozenset({"string", "template_string"}),
        numbers=frozenset({"number"}),
        constants=frozenset({"null", "undefined", "true", "false", "regex"}),
        compound=frozenset(
            {
                "array", "object", "pair",
                "unary_expression", "parenthesized_expression", "binary_expression",
                "ternary_expression", "as_expression", "satisfies_expression", "await_expression",
                "property_identifier", "sequence_expression",
            }
        ),
        leaves=_LEAVES,
        binary=frozenset({"binary_expression"}),
        bound=(("variable_declarator", "name", "value"), ("assignment_expression", "left", "right")),
        raised=_raised,
        asserted=_asserted,
        caught=_caught,
        dropped=_dropped,
        cases=frozenset({"switch_case"}),
        marks=frozenset({"decorator"}),
        imports=frozenset({"import_statement"}),
        collections=frozenset({"array", "object"}),
    )  # fmt: skip


def _made(node: Node | None) -> str:
    """Return the class of an error that is made on the spot; empty for an error that is there already."""
    if node is not None and node.type in ("new_expression", "call_expression"):
        return called(node)
    return ""


def _raised(spot: Spot) -> str | None:
    node = spot.node
    if node.type == "throw_statement":
        return _made(next(iter(children(node)), None))
    if node.type == "call_expression" and called(node) == "reject" and text(receiver(node)) == "Promise":
        return _made(next(iter(arguments(node)), None))
    return "AssertionError" if _asserted(node) is not None else None


def _asserted(node: Node) -> Node | None:
    """Return the condition of ``assert(…)``; that of a chain of ``expect`` is none of code."""
    if node.type != "call_expression" or called(node) not in _CHECKS:
        return None
    whole = text(field(node, "function"))
    plain = whole in _CHECKS - {"ok", "equal"} or whole.startswith("assert.")
    return field(node, "arguments") if plain else None


def _caught(root: Spot) -> Iterator[Caught]:
    for spot in spots(root):
        node = spot.node
        if node.type == "catch_clause":
            name = text(field(node, "parameter")).partition(":")[0].strip()
            body = field(node, "body")
            types = _filtered(body, name)
            yield Caught(spot, types, name, body, narrowed=bool(types) or _by_code(body, name))
        elif node.type == "call_expression":
            yield from _promise(spot)
        elif node.type == "finally_clause":
            body = field(node, "body")
            inner = nodes(body, _FUNCTIONS) if body is not None else ()
            if any(each.type in _LEAVES for each in inner):
                yield Caught(spot, frozenset(), "", None)
        elif node.type == "assignment_expression" and last(text(field(node, "left"))) in (
            "onerror",
            "onunhandledrejection",
        ):
            yield Caught(spot, frozenset(), "", None)


def _promise(spot: Spot) -> Iterator[Caught]:
    node = spot.node
    given, name = arguments(node), called(node)
    if name in ("on", "once", "addEventListener") and given and text(given[0])[1:-1] in _HOOKS:
        if text(receiver(node)) in ("process", "window", "globalThis", "self") or not receiver(node):
            yield Caught(spot, frozenset(), "", None)
        return
    if name not in _HANDLING or receiver(node) is None:
        return
    handler = given[0:1] if name == "catch" else given[1:2]
    for each in handler:
        if each.type in _FUNCTIONS:
            first = field(each, "parameter", "parameters")
            variable = text(first).strip("()").partition(":")[0].strip()
            body = field(each, "body")
            types = _filtered(body, variable)
            is_value = body is not None and body.type != "statement_block"
            yield Caught(spot, types, variable, body, is_value, bool(types) or _by_code(body, variable))
        elif each.type not in ("null", "undefined"):
            yield Caught(spot, frozenset(), "", each, is_value=True)


def _dropped(root: Spot) -> Iterator[Dropped]:
    for spot in spots(root):
        if spot.kind == "call_expression" and called(spot.node) == "allSettled":
            yield Dropped(spot, "allSettled", "its results have to be asked for their errors")


def _filtered(body: Node | None, name: str) -> frozenset[str]:
    """Return the classes that a handler tells apart by ``instanceof`` or by ``name``, and does not raise."""
    found = set()
    for spot in spots(Spot(body)) if body is not None and name else ():
        node = spot.node
        if node.type != "binary_expression" or _is_raised_again(spot):
            continue
        left, right = field(node, "left"), field(node, "right")
        if text(field(node, "operator")) == "instanceof" and text(left) == name:
            found.add(last(text(right)))
        elif text(left) in (f"{name}.name", f"{name}.constructor.name"):
            found.add(text(right)[1:-1])
    return frozenset(found)


def _is_raised_again(asked: Spot) -> bool:
    """Whether nothing but a ``throw`` follows where a question is answered with yes: all else is caught."""
    for above in asked.around():
        if above.kind == "if_statement":
            branch = field(above.node, "consequence")
            inside = children(branch) if branch is not None and branch.type == "statement_block" else [branch]
            negative = text(field(asked.node, "operator")) in ("!=", "!==")
            return not negative and [each.type for each in inside if each is not None] == ["throw_statement"]
        if above.kind != "parenthesized_expression" and text(field(above.node, "operator")) != "||":
            return False
    return False


def _by_code(body: Node | None, name: str) -> bool:
    """Whether a handler asks for the error's code or status."""
    asked = {f"{name}.{each}" for each in ("code", "status", "statusCode", "errno", "type")}
    asked |= {each.replace(".", "?.", 1) for each in asked} | {f"{name}.response.status"}
    return (
        bool(name)
        and body is not None
        and any(node.type == "member_expression" and text(node) in asked for node in nodes(body))
    )
