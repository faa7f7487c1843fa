"""Where code compares a value with a literal, or asks whether it is among some, and what follows from it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tree_sitter import Node

from ai_ops.core.guard.syntax.names import arguments, called, receiver, scope, string_value
from ai_ops.core.guard.syntax.reading import Tree
from ai_ops.core.guard.syntax.tree import Spot, children, field, nodes, spots, text, words
from ai_ops.core.guard.syntax.values import constants, is_constant

_COMPARES = frozenset(
    {
        "equals", "equalsIgnoreCase", "contentEquals", "startsWith", "endsWith", "starts_with", "ends_with",
        "startswith", "endswith", "HasPrefix", "HasSuffix", "EqualFold", "is", "eq", "eq_ignore_ascii_case",
        "matches", "localeCompare", "compareTo", "isEqual", "DeepEqual", "Equal", "Compare", "match",
        "contains", "includes", "Contains", "has",
        "indexOf", "containsKey", "contains_key", "get", "__contains__",
        "__eq__", "fullmatch", "matches!", "test", "anyMatch", "some", "any",
    }
)  # fmt: skip
_GATHERS = frozenset({"of", "asList", "Set", "set", "frozenset", "from", "tuple", "list", "new", "compile"})
_CODE_POINT = re.compile(r"\\x([0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\u\{([0-9a-fA-F]{1,6})\}")
_CASES = frozenset({"switch_rule", "switch_block_statement_group"})
_SWITCHES = frozenset(
    {
        "switch_statement",
        "switch_expression",
        "expression_switch_statement",
        "match_expression",
        "match_statement",
    }
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One literal that a value is compared with.

    ``other`` is the code of what it is compared with. ``plain`` when what follows from it is a constant or
    nothing at all: no work is done for that value.
    """

    literal: str
    is_number: bool
    other: str
    scope: str
    line: int
    plain: bool


def comparisons(tree: Tree) -> list[Comparison]:
    """Return the comparisons of a file with literals, in the order of its lines."""
    known = constants(tree.root.node, tree.dialect)
    bound = _bound(tree)
    found = []
    for spot in spots(tree.root):
        for other, literal in _sides(spot, tree, bound):
            value = _value(literal, tree)
            is_number = literal.type in tree.dialect.numbers
            where = scope(spot, tree.dialect)
            plain = _is_plain(spot, tree, known)
            found.append(Comparison(value, is_number, other, where, spot.line, plain))
    return found


def literals(tree: Tree) -> Iterator[tuple[str, bool]]:
    """Yield the values of a file's literals and whether each is a number; not those of imports."""
    dialect = tree.dialect
    for spot in spots(tree.root, dialect.imports):
        if spot.kind in dialect.strings:
            yield string_value(spot.node), False
        elif spot.kind in dialect.numbers:
            yield _value(spot.node, tree), True


def _value(literal: Node, tree: Tree) -> str:
    if literal.type == "regex":
        return text(literal).rpartition("/")[0].strip("/^$")
    if literal.type in tree.dialect.numbers:
        return text(literal).replace("_", "")
    pieces = _pieces(literal, tree) or [literal]
    return _CODE_POINT.sub(_character, "".join(map(string_value, pieces))).strip("^$")


def _character(escape: re.Match[str]) -> str:
    number = int(escape[1] or escape[2] or escape[3], 16)
    return chr(number) if number <= sys.maxunicode else escape[0]


def _pieces(node: Node, tree: Tree) -> list[Node] | None:
    """Return the texts that a node joins to one text; None when it holds anything else."""
    waiting, found = [node], []
    while waiting:
        at = waiting.pop()
        joins = at.type in tree.dialect.binary and _operator(at) == "+"
        if joins or at.type in ("parenthesized_expression", "concatenated_string"):
            waiting.extend(reversed(children(at)))
        elif at.type in tree.dialect.strings:
            found.append(at)
        else:
            return None
    return found


def _bound(tree: Tree) -> dict[str, Node]:
    """Return the literals, and collections of them, that a file gives a name."""
    dialect = tree.dialect
    kinds = {kind: (name, value) for kind, name, value in dialect.bound}
    plain = dialect.strings | dialect.numbers | dialect.collections | {"new_expression", "composite_literal"}
    found = {}
    for node in nodes(tree.root.node):
        if node.type in kinds:
            name, value = (field(node, each) for each in kinds[node.type])
            if value is not None and value.type == "expression_list" and len(children(value)) == 1:
                value = children(value)[0]
            if value is not None and (value.type in plain or called(value) in _GATHERS):
                found[text(name)] = value
    return found


def _sides(spot: Spot, tree: Tree, bound: Mapping[str, Node]) -> Iterator[tuple[str, Node]]:
    """Yield what is compared with which literals, when a node compares."""
    dialect, node = tree.dialect, spot.node
    if node.type in dialect.binary:
        operator = _operator(node)
        if operator in dialect.equal | dialect.unequal:
            yield from _pairs(children(node), tree, bound)
    elif node.type in dialect.calls and called(node) in _COMPARES:
        if node.type == "macro_invocation":
            yield from _macro(node, tree)
            return
        on = receiver(node)
        yield from _pairs([*([on] if on is not None else []), *arguments(node)], tree, bound)
    elif node.type in dialect.cases:
        whole = field(node, "pattern", "value")
        top = whole if whole is not None else node
        for each in nodes(top, dialect.functions | dialect.blocks | frozenset({"statement_list"})):
            if each.type in dialect.strings | dialect.numbers and _is_label(each, node, tree):
                yield _subject(spot), each
    elif node.type in dialect.patterns and spot.above and spot.above.kind in dialect.cases:
        for each in nodes(node):
            if each.type in dialect.strings | dialect.numbers:
                yield _subject(spot), each
    elif node.type in ("object", "dictionary", "pair", "subscript_expression", "subscript"):
        yield from _table(spot, tree)


def _macro(node: Node, tree: Tree) -> Iterator[tuple[str, Node]]:
    """Yield the literals of ``matches!(x, "a" | "b")``, whose inside is words to the grammar."""
    inside = [each for each in nodes(node) if not each.children or each.type in tree.dialect.strings]
    kinds = tree.dialect.strings | tree.dialect.numbers
    other = " ".join(text(each) for each in inside if each.type == "identifier")
    yield from ((other, each) for each in inside if each.type in kinds)


def _is_label(each: Node, case: Node, tree: Tree) -> bool:
    value = field(case, "pattern", "value")
    if value is not None:
        return value.start_byte <= each.start_byte < value.end_byte
    return case.type == "switch_label"


def _operator(node: Node) -> str:
    found = field(node, "operator", "operators")
    if found is not None:
        return text(found)
    between = [text(each) for each in node.children if not each.is_named]
    return " ".join(between)


def _pairs(given: Sequence[Node], tree: Tree, bound: Mapping[str, Node]) -> Iterator[tuple[str, Node]]:
    """Yield each literal beside something that is none; those within a collection count each."""
    dialect = tree.dialect
    kinds = dialect.strings | dialect.numbers | {"regex"}
    sides = [bound.get(text(each), each) for each in given]
    for index, side in enumerate(sides):
        others = " ".join(words(each)[:200] for at, each in enumerate(given) if at != index)
        if side.type in kinds or _pieces(side, tree):
            yield others, side
        elif side.type in ("unary_expression", "unary_operator") and children(side)[-1:]:
            if children(side)[-1].type in kinds:
                yield others, children(side)[-1]
        elif side.type in dialect.collections | {
            "composite_literal",
            "macro_invocation",
            "new_expression",
        } or (side.type in dialect.calls and called(side) in _GATHERS):
            for each in nodes(side):
                if each.type in kinds:
                    yield others, each


def _subject(spot: Spot) -> str:
    for above in spot.around():
        subject = field(above.node, "value", "subject", "condition")
        if above.kind in _SWITCHES and subject is not None:
            return words(subject)[:200]
    return ""


def _table(spot: Spot, tree: Tree) -> Iterator[tuple[str, Node]]:
    """Yield the keys of a table that is made to look one value up at once: ``{"a": 1}[x]``."""
    node = spot.node
    if node.type not in ("subscript_expression", "subscript"):
        return
    table, key = field(node, "object", "value"), field(node, "index", "subscript")
    if table is None or key is None:
        return
    while table.type == "parenthesized_expression" and children(table):
        table = children(table)[0]
    if table.type in ("object", "dictionary"):
        for pair in children(table):
            name = field(pair, "key")
            if name is not None and name.type in tree.dialect.strings | tree.dialect.numbers:
                yield words(key)[:200], name


def _is_plain(spot: Spot, tree: Tree, known: frozenset[str]) -> bool:
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
    return _operator(spot.node) in tree.dialect.unequal or any(
        text(each.node).startswith(("!", "not ")) for each in (spot, *list(spot.around())[:3])
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


_WORD = re.compile(r"\w+")


def words_of(source: str) -> frozenset[str]:
    """Return every word of a file, its literals included."""
    return frozenset(_WORD.findall(source))
