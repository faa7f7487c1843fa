"""Where code compares a value with a literal, or asks whether it is among some, and what follows from it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from tree_sitter import Node

from ai_ops.core.guard.syntax.consequences import answers, is_plain
from ai_ops.core.guard.syntax.equations import solutions
from ai_ops.core.guard.syntax.folding import folded, made, mentions, operator_of, said_by, unescaped
from ai_ops.core.guard.syntax.names import arguments, called, last, receiver, scope, string_value
from ai_ops.core.guard.syntax.ranges import ranges
from ai_ops.core.guard.syntax.reading import Tree
from ai_ops.core.guard.syntax.tree import Spot, children, field, nodes, spots, text, words
from ai_ops.core.guard.syntax.values import constants

_COMPARES = frozenset(
    {
        "equals", "equalsIgnoreCase", "contentEquals", "startsWith", "endsWith", "starts_with", "ends_with",
        "startswith", "endswith", "HasPrefix", "HasSuffix", "EqualFold", "is", "eq", "eq_ignore_ascii_case",
        "matches", "localeCompare", "compareTo", "isEqual", "DeepEqual", "Equal", "Compare", "match",
        "contains", "includes", "Contains", "has",
        "indexOf", "containsKey", "contains_key", "get", "__contains__",
        "__eq__", "fullmatch", "matches!", "test", "anyMatch", "some", "any", "Match", "MatchString",
        "search", "fnmatch", "is_match", "find", "matcher",
    }
)  # fmt: skip
_GATHERS = frozenset(
    {
        "of",
        "asList",
        "Set",
        "set",
        "frozenset",
        "from",
        "tuple",
        "list",
        "new",
        "compile",
        "MustCompile",
        "RegExp",
    }
)
_READS = re.compile(r"\[[\"']([^\"'\\\n]{1,200})[\"']\]|\bget\w{0,40}\([\"']([^\"'\\\n]{1,200})[\"']")
_ASKS_FOR = frozenset({"get", "has", "containsKey", "contains_key"})
_PATTERNS = frozenset(
    {
        "match", "matches", "fullmatch", "test", "Match", "MatchString", "search", "fnmatch", "is_match",
        "find", "matcher",
    }
)  # fmt: skip
_COLLECTED = frozenset({"composite_literal", "macro_invocation", "new_expression"})
_SWITCHES = frozenset(
    {
        "switch_statement",
        "switch_expression",
        "expression_switch_statement",
        "match_expression",
        "match_statement",
    }
)


_DIGESTS = frozenset(
    {
        "hash", "hashCode", "hash_code", "digest", "hexdigest", "crc32", "adler32", "checksum", "createHash",
        "md5", "sha1", "sha256", "sha512", "Sum256", "Sum", "ChecksumIEEE", "from_bytes", "MessageDigest",
    }
)  # fmt: skip
_CODES = frozenset({"ord", "charCodeAt", "codePointAt", "chars", "bytes"})
_ADDS_UP = frozenset({"sum", "reduce", "fold"})
_LENGTHS = frozenset({"len", "length", "size"})
_WORD = re.compile(r"\w+")
_HEX = re.compile(r"(?=.*\d)[0-9a-fA-F]{3,128}")
_LONGEST = 200  # characters of what a value is worked out by


class How(Enum):
    """How code tells a value from others."""

    EQUAL = auto()
    RANGE = auto()
    """Its numbers are the two ends of a range, both within it."""
    MADE = auto()
    """It is put together from its numbers, as a date is."""
    DIGEST = auto()
    """By a number or text that is worked out from it, so that nobody can read which value is meant."""
    LENGTH = auto()
    PATTERN = auto()
    """It is a pattern that a value may fit."""
    PART = auto()
    """It is one of a list that a value is compared with as a whole."""
    KEY = auto()
    """It is what a value is asked for by: a field's name, or a value of somebody's data."""
    PRESENCE = auto()
    """It is asked whether there is a value under it, which the file reads."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One literal that a value is compared with.

    ``other`` is the code of what it is compared with. ``plain`` when what follows from it is a constant or
    nothing at all: no work is done for that value. ``numbers`` are those of ``how``, and ``answers`` the
    literals of the constant.
    """

    literal: str
    is_number: bool
    other: str
    scope: str
    line: int
    plain: bool
    how: How = How.EQUAL
    numbers: tuple[float, ...] = ()
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Side:
    """A constant that stands beside something that is none, ``other``."""

    other: str
    literal: str
    is_number: bool
    how: How = How.EQUAL
    numbers: tuple[float, ...] = ()


def comparisons(tree: Tree) -> list[Comparison]:
    """Return the comparisons of a file with literals, in the order of its lines."""
    known = constants(tree.root.node, tree.dialect)
    bound, worked, read = _bound(tree), _worked_out(tree), _read_keys(tree)
    found = []
    for spot in spots(tree.root):
        for side in _sides(spot, tree, bound, worked, read):
            where, plain = scope(spot, tree.dialect), is_plain(spot, tree, known)
            told = (side.literal, side.is_number, side.other, where, spot.line, plain, side.how, side.numbers)
            said = tuple(_value(each, tree) for each in answers(spot, tree, known)) if plain else ()
            found.append(Comparison(*told, answers=said))
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
    value = folded(literal, tree.dialect)
    return (value if isinstance(value, str) else unescaped(string_value(literal))).strip("^$")


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
            if value is not None and (
                value.type in plain or _is_made(value, tree) or called(value) in _GATHERS
            ):
                found[text(name)] = value
    return found


def _worked_out(tree: Tree) -> dict[str, Node]:
    """Return what a file gives a name, once, that is worked out: the name stands for it."""
    kinds = {kind: (name, value) for kind, name, value in tree.dialect.bound}
    found: dict[str, Node] = {}
    several: set[str] = set()
    for node in nodes(tree.root.node):
        if node.type in kinds:
            name, value = (field(node, each) for each in kinds[node.type])
            said = text(name)
            if value is not None and said.isidentifier():
                several |= {said} & found.keys()
                found[said] = value
    return {name: value for name, value in found.items() if name not in several}


def _is_made(value: Node, tree: Tree) -> bool:
    return bool(made(value, tree.dialect)) or said_by(value, tree.dialect) is not None


def _sides(
    spot: Spot,
    tree: Tree,
    bound: Mapping[str, Node],
    worked: Mapping[str, Node],
    read: frozenset[str],
) -> Iterator[_Side]:
    """Yield what is compared with which constants, when a node compares."""
    dialect, node = tree.dialect, spot.node
    for asked in ranges(spot, dialect):
        yield _Side(asked.other, words(node)[:200], True, How.RANGE, (asked.low, asked.high))
    for other, value in solutions(node, dialect):
        yield _Side(other, value, True)
    if node.type in dialect.binary:
        if operator_of(node) in dialect.equal | dialect.unequal:
            wanted = _asked_for(node, tree, bound, read)
            for side in _pairs(children(node), tree, bound, worked):
                yield replace(side, how=How.PRESENCE) if side.literal == wanted else side
    elif node.type in dialect.calls and called(node) in _COMPARES:
        if node.type == "macro_invocation":
            yield from _macro(node, tree)
            return
        on = receiver(node)
        given = [*([on] if on is not None else []), *arguments(node)]
        key = _key(node, on, tree, bound, read)
        for side in _pairs(given, tree, bound, worked):
            if key is not None and side.literal == key:
                yield replace(side, how=How.KEY if called(node) == "get" else How.PRESENCE)
                continue
            plainly = called(node) not in _PATTERNS or side.is_number or side.how is not How.EQUAL
            yield side if plainly else replace(side, how=How.PATTERN)
    elif node.type in dialect.cases:
        whole = field(node, "pattern", "value")
        top = whole if whole is not None else node
        for each in nodes(top, dialect.functions | dialect.blocks | frozenset({"statement_list"})):
            if each.type in dialect.strings | dialect.numbers and _is_label(each, node, tree):
                yield _side(_subject(spot), each, tree)
    elif node.type in dialect.patterns and spot.above and spot.above.kind in dialect.cases:
        for each in nodes(node):
            if each.type in dialect.strings | dialect.numbers:
                yield _side(_subject(spot), each, tree)
    elif node.type in ("object", "dictionary", "pair", "subscript_expression", "subscript"):
        yield from _table(spot, tree)


def _key(
    call: Node, on: Node | None, tree: Tree, bound: Mapping[str, Node], read: frozenset[str]
) -> str | None:
    """Return the text that a call asks a table for a value by, or whether there is one that the file reads.

    None where the table is written down in the file: its keys are what a value is compared with.
    """
    given = arguments(call)
    if called(call) not in _ASKS_FOR or on is None or not given or given[0].type not in tree.dialect.strings:
        return None
    key = _value(given[0], tree)
    if _is_written(on, tree, bound) or (called(call) != "get" and key not in read):
        return None
    return key


def _asked_for(node: Node, tree: Tree, bound: Mapping[str, Node], read: frozenset[str]) -> str | None:
    """Return the key of ``'key' in table``, where the file reads the value under it."""
    sides = children(node)
    if operator_of(node) not in ("in", "not in") or len(sides) != 2:
        return None
    if sides[0].type not in tree.dialect.strings or _is_written(sides[1], tree, bound):
        return None
    key = _value(sides[0], tree)
    return key if key in read else None


def _is_written(table: Node, tree: Tree, bound: Mapping[str, Node]) -> bool:
    table = bound.get(text(table), table)
    return table.type in tree.dialect.collections | _COLLECTED or called(table) in _GATHERS


def _read_keys(tree: Tree) -> frozenset[str]:
    """Return the texts under which a file reads values."""
    return frozenset(found[1] or found[2] for found in _READS.finditer(text(tree.root.node)))


def _side(other: str, literal: Node, tree: Tree) -> _Side:
    return _Side(other, _value(literal, tree), literal.type in tree.dialect.numbers)


def _macro(node: Node, tree: Tree) -> Iterator[_Side]:
    """Yield the literals of ``matches!(x, "a" | "b")``, whose inside is words to the grammar."""
    inside = [each for each in nodes(node) if not each.children or each.type in tree.dialect.strings]
    kinds = tree.dialect.strings | tree.dialect.numbers
    other = " ".join(text(each) for each in inside if each.type == "identifier")
    yield from (_side(other, each, tree) for each in inside if each.type in kinds)


def _is_label(each: Node, case: Node, tree: Tree) -> bool:
    value = field(case, "pattern", "value")
    if value is not None:
        return value.start_byte <= each.start_byte < value.end_byte
    return case.type == "switch_label"


def _pairs(
    given: Sequence[Node], tree: Tree, bound: Mapping[str, Node], worked: Mapping[str, Node]
) -> Iterator[_Side]:
    """Yield each constant beside something that is none; those within a collection count each."""
    sides = [bound.get(text(each), each) for each in given]
    for index, side in enumerate(sides):
        beside = [each for at, each in enumerate(given) if at != index]
        others = " ".join(words(each)[:200] for each in beside)
        for each in _constants(side, tree):
            made_of = [worked.get(text(one), one) for one in beside]
            yield replace(each, other=others, how=_how(each, made_of, worked))


def _constants(side: Node, tree: Tree) -> Iterator[_Side]:
    """Yield the constants of one side of a comparison."""
    dialect = tree.dialect
    kinds = dialect.strings | dialect.numbers | {"regex"}
    if side.type in ("unary_expression", "unary_operator") and children(side)[-1:]:
        side = children(side)[-1] if children(side)[-1].type in kinds else side
    if side.type == "reference_expression" and children(side)[-1:]:
        listed = children(side)[-1]
        for each in nodes(listed) if listed.type in dialect.collections else ():
            if each.type in kinds:
                yield replace(_side("", each, tree), how=How.PART)
    source = said_by(side, dialect)
    if side.type in kinds:
        yield _side("", side, tree)
    elif (value := folded(side, dialect)) is not None:
        yield _Side("", str(value).strip("^$"), not isinstance(value, str))
    elif numbers := made(side, dialect):
        yield _Side("", words(side)[:200], True, How.MADE, numbers)
    elif source is not None:
        yield _Side("", str(folded(source, dialect)), False)
    elif side.type in dialect.collections | _COLLECTED or (
        side.type in dialect.calls and called(side) in _GATHERS
    ):
        for each in nodes(side):
            if each.type in kinds:
                yield _side("", each, tree)
            elif numbers := made(each, dialect):
                yield _Side("", words(each)[:200], True, How.MADE, numbers)


def _how(side: _Side, beside: Sequence[Node], worked: Mapping[str, Node]) -> How:
    """Return how a constant tells a value: by what is worked out from it, or plainly."""
    if side.how is not How.EQUAL:
        return side.how
    for each in beside:
        if mentions(each, _DIGESTS) or (_HEX.fullmatch(side.literal) and _is_of_digest(each, worked)):
            return How.DIGEST
        if mentions(each, _CODES) and mentions(each, _ADDS_UP):
            return How.DIGEST
        if side.is_number and (called(each) or last(text(each))) in _LENGTHS:
            return How.LENGTH
    return How.EQUAL


def _is_of_digest(each: Node, worked: Mapping[str, Node]) -> bool:
    """Whether a digest was given a name that stands in a piece of code."""
    names = _WORD.findall(text(each)[:_LONGEST])
    return any(mentions(worked[name], _DIGESTS) for name in names if name in worked)


def _subject(spot: Spot) -> str:
    for above in spot.around():
        subject = field(above.node, "value", "subject", "condition")
        if above.kind in _SWITCHES and subject is not None:
            return words(subject)[:200]
    return ""


def _table(spot: Spot, tree: Tree) -> Iterator[_Side]:
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
                yield _side(words(key)[:200], name, tree)


def words_of(source: str) -> frozenset[str]:
    """Return every word of a file, its literals included."""
    return frozenset(_WORD.findall(source))
