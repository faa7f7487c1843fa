"""Rust, where errors are values and absent values look much like them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import tree_sitter_rust
from tree_sitter import Language, Node

from ai_ops.core.guard.syntax.dialect import Caught, Dialect, Dropped
from ai_ops.core.guard.syntax.names import arguments, called, last, receiver
from ai_ops.core.guard.syntax.tree import Spot, children, field, nodes, spots, text

_PANIC_HOOKS = frozenset({"catch_unwind", "set_hook", "take_hook"})
_RAISE_PANIC = frozenset({"unwrap", "expect", "resume_unwind"})
_FUNCTIONS = frozenset({"function_item", "closure_expression"})
_STOPS = frozenset({"panic", "unreachable", "bail"})
_ASSERTS = frozenset({"assert", "assert_eq", "assert_ne", "debug_assert", "debug_assert_eq", "ensure"})
_DEFAULTS = frozenset(
    {"unwrap_or", "unwrap_or_default", "unwrap_or_else", "map_or", "map_or_else", "or_else", "or"}
)
_PASSES = frozenset({"ok_or", "ok_or_else"})
# Methods of the standard library whose result may be absent without any error.
OPTIONAL = frozenset(
    {
        "first", "last", "get", "get_mut", "max",
        "min", "max_by", "min_by", "max_by_key", "min_by_key", "next",
        "next_back", "find", "find_map", "pop", "pop_front",
        "pop_back", "peek", "nth", "position", "rposition",
        "strip_prefix", "strip_suffix", "split_once", "rsplit_once", "split_first", "split_last", "reduce",
        "to_digit", "as_str", "as_i64", "as_u64", "as_f64",
        "as_bool", "as_array", "as_object", "front", "back",
        "file_name", "extension", "parent", "file_stem", "to_str", "upgrade", "remove", "insert", "take",
        "last_mut", "first_mut", "char_indices", "chars", "checked_add", "checked_sub", "checked_mul",
        "checked_div", "checked_rem", "checked_neg", "checked_pow",
        "iter", "from_u32", "from_digit", "copied",
        "cloned", "as_ref", "as_deref", "partial_cmp", "sum", "fold", "chunks", "windows", "rev",
    }
)  # fmt: skip
_CHAIN = frozenset(
    {
        "map", "map_err", "and_then", "copied", "cloned", "as_ref", "as_mut", "as_deref", "ok", "ok_or",
        "ok_or_else", "filter", "flatten", "inspect_err",
        "context", "with_context", "transpose", "iter", "trim",
        "unwrap", "expect", "err", "as_deref_mut",
    }
)  # fmt: skip


def dialect() -> Dialect:
    """Return Rust."""
    return Dialect(
        name="rust",
        language=Language(tree_sitter_rust.language()),
        functions=_FUNCTIONS,
        named=frozenset({"function_item", "impl_item", "trait_item", "mod_item"}),
        conditionals=frozenset({"if_expression"}),
        loops=frozenset({"for_expression", "while_expression", "loop_expression"}),
        calls=frozenset({"call_expression", "macro_invocation"}),
        strings=frozenset({"string_literal", "raw_string_literal", "char_literal"}),
        numbers=frozenset({"integer_literal", "float_literal"}),
        constants=frozenset({"boolean_literal", "unit_expression", "true", "false"}),
        compound=frozenset(
            {
                "array_expression", "tuple_expression", "unary_expression", "parenthesized_expression",
                "binary_expression", "reference_expression",
                "block", "type_cast_expression", "primitive_type",
                "struct_expression", "field_initializer_list", "field_initializer", "field_identifier",
                "type_identifier", "token_tree",
            }
        ),
        leaves=frozenset({"return_expression", "break_expression", "continue_expression"}),
        binary=frozenset({"binary_expression"}),
        bound=(
            ("let_declaration", "pattern", "value"),
            ("const_item", "name", "value"),
            ("static_item", "name", "value"),
            ("assignment_expression", "left", "right"),
        ),
        raised=_raised,
        asserted=_asserted,
        caught=_caught,
        dropped=_dropped,
        errors_are_values=True,
        cases=frozenset({"match_arm"}),
        patterns=frozenset({"match_pattern", "or_pattern"}),
        blocks=frozenset({"block"}),
        marks=frozenset({"attribute_item"}),
        imports=frozenset({"use_declaration", "extern_crate_declaration"}),
        collections=frozenset({"array_expression"}),
    )  # fmt: skip


def _raised(spot: Spot) -> str | None:
    node = spot.node
    if node.type == "macro_invocation":
        name = called(node)
        return "panic" if name in _STOPS else "AssertionError" if name in _ASSERTS else None
    if node.type == "call_expression" and text(field(node, "function")) == "Err":
        given = next(iter(arguments(node)), None)
        variable = given is not None and given.type == "identifier" and text(given)[:1].islower()
        passed = given is None or variable or called(given) in ("into", "from")
        return "" if passed else last(text(given).partition("(")[0].partition("{")[0].strip()) or "Err"
    return None


def _asserted(node: Node) -> Node | None:
    if node.type != "macro_invocation" or called(node) not in _ASSERTS:
        return None
    return next((each for each in node.named_children if each.type == "token_tree"), None)


def _caught(root: Spot) -> Iterator[Caught]:
    for spot in spots(root):
        node = spot.node
        if node.type == "match_arm":
            pattern = field(node, "pattern")
            shown = text(pattern)
            if shown.startswith("Err("):
                yield _arm(spot, shown)
        elif node.type == "if_expression" and (condition := field(node, "condition")) is not None:
            if condition.type == "let_condition" and text(field(condition, "pattern")).startswith("Err("):
                shown = text(field(condition, "pattern"))
                variable = shown[4:-1].removeprefix("ref ").strip()
                yield Caught(spot, _error_types(shown), variable, field(node, "consequence"))
        elif node.type == "call_expression" and (called(node) in _PANIC_HOOKS or _outlives_panic(spot)):
            yield Caught(spot, frozenset(), "", None)


def _outlives_panic(spot: Spot) -> bool:
    """Whether a thread is made and waited for in one breath, and what became of its panic is lost.

    That is ``catch_unwind`` in other words. A ``match`` and an ``if let`` are judged by their arms.
    """
    node, made = spot.node, receiver(spot.node)
    if called(node) != "join" or arguments(node):
        return False
    if made is None or made.type != "call_expression" or called(made) != "spawn":
        return False
    for above in spot.around():
        name = called(above.node) if above.kind == "call_expression" else ""
        if name in _DEFAULTS:
            return not _still_raises(above.node)
        if name == "ok":
            return not _passed_on(above)
        if name in _RAISE_PANIC:
            return False
        if not name and above.kind not in ("field_expression", "parenthesized_expression"):
            return not _asks_for_panic(above)
    return False


def _asks_for_panic(spot: Spot) -> bool:
    """Whether the place where the result of a thread ends hands its panic on, or asks for it."""
    node = spot.node
    if spot.kind in ("try_expression", "match_expression", "return_expression", "block"):
        return True
    if spot.kind == "if_expression":
        return _raises_in(node)
    if spot.kind == "let_condition":
        other = field(spot.above.node, "alternative") if spot.above is not None else None
        return not text(field(node, "pattern")).startswith("Ok(") or (other is not None and _raises_in(other))
    if spot.kind != "let_declaration":
        return False
    if (other := field(node, "alternative")) is not None:
        return _raises_in(other)
    name, around = text(field(node, "pattern")), text(spot.above.node) if spot.above is not None else ""
    later = rf"\bmatch {name}\b|\b{name}(?:\?|\s*\.(?:unwrap|expect|map_err)\()|\bErr\(\w+\) = {name}\b"
    return name.isidentifier() and name != "_" and re.search(later, around) is not None


def _arm(spot: Spot, shown: str) -> Caught:
    inner = shown[4:].partition(")")[0]
    types = _error_types(shown)
    variable = "" if inner.startswith("_") and len(inner) < 2 else inner.removeprefix("ref ").strip()
    body = field(spot.node, "value")
    is_value = body is not None and body.type != "block"
    return Caught(spot, types, variable, body, is_value, " if " in shown or bool(types))


def _error_types(shown: str) -> frozenset[str]:
    """Return the variant that ``Err(Kind::Variant)`` names."""
    inner = shown[4:].rstrip(")").partition("(")[0].partition("{")[0].strip()
    return frozenset({last(inner)}) if "::" in inner else frozenset()


def _dropped(root: Spot) -> Iterator[Dropped]:
    """Yield results that are turned into a default, made optional, or given to nobody."""
    for spot in spots(root):
        node = spot.node
        if node.type == "let_declaration" and text(node).startswith("let _ ="):
            value = field(node, "value")
            if value is not None and value.type in ("call_expression", "await_expression"):
                yield Dropped(spot, origin(value), "its result is given to _")
        elif node.type == "call_expression" and receiver(node) is not None:
            name = called(node)
            if name in _DEFAULTS and not _still_raises(node):
                yield Dropped(spot, origin(node), f"{name} stands in for its error")
            elif name == "ok" and not arguments(node) and not _passed_on(spot):
                yield Dropped(spot, origin(node), "ok() drops its error")
        elif node.type == "let_declaration" and text(field(node, "pattern")).startswith("Ok("):
            value, other = field(node, "value"), field(node, "alternative")
            if value is not None and other is not None and not _raises_in(other):
                yield Dropped(spot, origin(value), "nothing is done with its error")
        elif node.type == "let_condition" and text(field(node, "pattern")).startswith("Ok("):
            above = spot.above
            other = field(above.node, "alternative") if above is not None else None
            value = field(node, "value")
            if value is not None and (other is None or not _raises_in(other)):
                yield Dropped(spot, origin(value), "nothing is done with its error")


def _still_raises(node: Node) -> bool:
    """Whether what stands in for an error raises one, or looks at it."""
    given = arguments(node)
    if any(_raises_in(each) or "into_inner" in text(each) for each in given):
        return True
    told = given[:1] if called(node) in ("unwrap_or_else", "or_else", "map_or_else") else []
    return any(each.type == "closure_expression" and _uses_error(each) for each in told)


def _uses_error(closure: Node) -> bool:
    name = text(field(closure, "parameters")).strip("|").partition(":")[0].strip()
    body = field(closure, "body")
    return (
        bool(name)
        and not name.startswith("_")
        and body is not None
        and any(each.type == "identifier" and text(each) == name for each in nodes(body))
        and not any(each.type == "macro_invocation" for each in nodes(body))
    )


def _raises_in(node: Node) -> bool:
    return any(_raised(Spot(each)) is not None for each in nodes(node))


def _passed_on(spot: Spot) -> bool:
    """Whether ``ok()`` is only a step towards another error."""
    for above in spot.around():
        if above.kind == "try_expression":
            return True
        if above.kind == "call_expression" and called(above.node) in _PASSES:
            return True
        if above.kind not in ("field_expression", "call_expression"):
            return False
    return False


def origin(node: Node) -> str:
    """Return the name that is called at the start of a chain: ``parse`` in ``x.parse().ok()``."""
    at: Node | None = node
    while at is not None:
        if at.type in (
            "try_expression",
            "await_expression",
            "reference_expression",
            "parenthesized_expression",
        ):
            at = next(iter(children(at)), None)
            continue
        if at.type != "call_expression":
            return ""
        name = called(at)
        if name not in _CHAIN | _DEFAULTS:
            return name
        before = receiver(at)
        if before is None:
            return name
        at = before
    return ""
