"""The tests of a file in other languages than Python: their names, what they check, what is beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from ai_ops.core.guard.syntax.names import arguments, called, string_value
from ai_ops.core.guard.syntax.reading import Tree
from ai_ops.core.guard.syntax.tree import children, field, nodes, text, words

_CHECKS = re.compile(
    r"\A(?:assert\w*|expect\w*|should\w*|verify\w*|fail\w*|deepEqual|strictEqual|deepStrictEqual|equal|notEqual|ok"
    r"|throws|rejects|doesNotThrow|match|Error|Errorf|Fatal|Fatalf|Equal\w*|NoError|True|False|Nil|NotNil|Len|Contains"
    r"|panic|is|isTrue|isEqualTo|toBe\w*|to[A-Z]\w*|containsExactly\w*|require\w*|snapshot|plan)\Z"
)
_GROUPS = frozenset({"describe", "suite", "context"})
_TESTS = frozenset({"test", "it", "specify"})
_SAFE_IMPORT = re.compile(
    r"\A(?:import (?:static )?(?:java|org \. (?:junit|assertj|hamcrest)) ?\.|use (?:std|core|alloc) ::)"
)
_STANDARD = re.compile(r"\A\"[a-z0-9]+(?:/[a-z0-9]+)*\"\Z")
_MARKS = re.compile(r"\b(?:Test|ParameterizedTest|RepeatedTest|test|rstest|test_case)\b")
_KEEPS_OUT = re.compile(r"\b(?:Disabled\w*|Ignore\w*|Enabled\w*|ignore|should_panic|cfg\w*)\b")


@dataclass(frozen=True, slots=True)
class Unit:
    """One piece of a test file: a test with its name and the number of its checks, or what is beside them.

    ``plain`` when nothing keeps a test from being run, and when an import only names what is standard.
    ``is_group`` of the head of a ``describe`` and its like; ``place`` is its inside.
    """

    place: str
    name: str
    code: str
    checks: int
    is_test: bool
    plain: bool
    is_import: bool = False
    is_group: bool = False


def units(tree: Tree) -> list[Unit]:
    """Return the pieces of a file in its order; groups and classes are taken apart."""
    return list(_units(tree.root.node, "", tree, 8))


def _units(parent: Node, place: str, tree: Tree, depth: int) -> Iterator[Unit]:
    marks = ""
    for node in children(parent):
        if node.type == "attribute_item":
            marks += words(node) + " "
            continue
        group = _group(node, tree) if depth else None
        if group is not None:
            name, body, head = group
            inside = f"{place}{name}::"
            plain = _KEEPS_OUT.search(marks) is None
            call = _call(node)
            is_group = call is not None and len(arguments(call)) == 2
            yield Unit(inside, "", f"{marks}{head}", 0, is_test=False, plain=plain, is_group=is_group)
            yield from _units(body, inside, tree, depth - 1)
        else:
            yield _unit(node, place, marks, tree)
        marks = ""


def _group(node: Node, tree: Tree) -> tuple[str, Node, str] | None:
    """Return the name, the body and the head of what only holds others."""
    call = _call(node)
    if call is not None and called(call) in _GROUPS and text(field(call, "function")) in _GROUPS:
        given = arguments(call)
        body = field(given[-1], "body") if given else None
        if body is not None and given[-1].type in tree.dialect.functions:
            return string_value(given[0]), body, f"{called(call)} {words(given[0])} {len(given)}"
    if node.type in ("class_declaration", "mod_item", "export_statement"):
        inner = field(node, "declaration") or node
        body = field(inner, "body")
        if body is not None and inner.type in ("class_declaration", "mod_item"):
            before = [words(each) for each in inner.children if each != body]
            return text(field(inner, "name")), body, " ".join(before)
    return None


def _call(node: Node) -> Node | None:
    inner = children(node)[0] if node.type == "expression_statement" and children(node) else node
    if inner.type == "await_expression" and children(inner):
        inner = children(inner)[0]
    return inner if inner.type == "call_expression" else None


def _unit(node: Node, place: str, marks: str, tree: Tree) -> Unit:
    code = f"{marks}{words(node)}"
    checks = sum(1 for each in nodes(node) if _is_check(each, tree))
    if node.type in tree.dialect.imports:
        plain = _SAFE_IMPORT.match(code) is not None
        return Unit(place, "", code, 0, is_test=False, plain=plain, is_import=True)
    name, plain = _test_name(node, marks)
    return Unit(place, name, code, checks, is_test=bool(name), plain=plain)


def _test_name(node: Node, marks: str) -> tuple[str, bool]:
    """Return the name of a test, empty for anything else, and whether nothing keeps it from running."""
    call = _call(node)
    if call is not None and text(field(call, "function")) in _TESTS and len(arguments(call)) == 2:
        return string_value(arguments(call)[0]), arguments(call)[1].type.endswith("function")
    name = text(field(node, "name"))
    if node.type == "method_declaration":
        modifiers = next((words(each) for each in node.children if each.type == "modifiers"), "")
        return (name, not _KEEPS_OUT.search(modifiers)) if _MARKS.search(modifiers) else ("", False)
    if node.type == "function_item":
        return (name, not _KEEPS_OUT.search(marks)) if _MARKS.search(marks) else ("", False)
    if node.type == "function_declaration" and re.match(r"(?:Test|Fuzz|Example)(?![a-z])", name):
        return name, name.startswith("Test") and "testing.T" in text(field(node, "parameters"))
    return "", False


def _is_check(node: Node, tree: Tree) -> bool:
    return node.type in tree.dialect.calls and _CHECKS.match(called(node)) is not None


def imports_more(before: Unit, after: Unit) -> bool:
    """Whether an import only names more of the same place, or more of Go's standard library."""
    old, new = (re.findall(r"\"[^\"]*\"|'[^']*'|\w+", each.code) for each in (before, after))
    added = set(new) - set(old)
    if not set(old) <= set(new) or " as " in after.code.replace(before.code, ""):
        return False
    if before.code.startswith("import ("):
        return all(_STANDARD.match(each) for each in added if each.startswith('"')) and all(
            each.startswith('"') for each in added
        )
    return old[-1] == new[-1] and not any(each[0] in "\"'" for each in added)
