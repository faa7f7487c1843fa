"""Constants in disguise: what an expression of literals alone is, so that ``'ab' + 'c'`` is ``'abc'``."""

from __future__ import annotations

import base64
import binascii
import codecs
import math
import operator
import re
import sys
from collections.abc import Callable, Mapping, Sequence

from tree_sitter import Node

from ai_ops.core.guard.syntax.dialect import Dialect
from ai_ops.core.guard.syntax.names import arguments, called, receiver, string_value
from ai_ops.core.guard.syntax.tree import children, field, nodes, text
from ai_ops.core.guard.syntax.values import is_constant

Constant = str | int | float

_DEPTH = 60
_LONGEST = 2_000  # characters of a text, and bits of a number: more is no value of a log
_SHIFTS = 64
_HOLDS = frozenset({"parenthesized_expression", "reference_expression", "expression_list"})
_INTERPOLATES = frozenset({"interpolation", "template_substitution"})
_CODE_POINT = re.compile(r"\\x([0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\u\{([0-9a-fA-F]{1,6})\}")
_SUFFIX = re.compile(r"(?<=[0-9])(?:[lLnufFdD]|[ui](?:8|16|32|64|128|size)|f(?:32|64))\Z")
_SLOT = re.compile(r"\{[^{}]{0,20}\}|%[sdiv]")
_SAME = frozenset(
    {
        "lower", "upper", "strip", "trim", "toLowerCase", "toUpperCase", "casefold", "toString", "to_string",
        "to_owned", "encode", "decode", "str", "String", "string", "from", "int", "float", "Number",
        "parseInt", "valueOf", "intern", "into", "bytes", "bytearray", "list", "tuple", "as_str", "as_bytes",
        "getBytes",
    }
)  # fmt: skip
_MAKES = re.compile(
    r"\A(?:date\w*|time\w*|of\w*|parse\w*|fromisoformat|strptime|from_\w+|fromString|valueOf|uuid\w*|decimal|complex)\Z"
)
_MOST_PARTS = 9  # of a value: year to nanosecond, and a zone
_MONTHS_FROM_0 = frozenset({"javascript", "typescript"})
_WRAPS = frozenset({"parenthesized_expression", "reference_expression", "unary_expression"})
_UNWRAPS = frozenset({"unwrap", "expect", "getTime", "get", "unwrap_or_default"})
_NUMBERS: Mapping[str, Callable[[Constant, Constant], Constant]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "^": operator.xor,
    "|": operator.or_,
    "&": operator.and_,
    "<<": operator.lshift,
    ">>": operator.rshift,
}


def operator_of(node: Node) -> str:
    """Return the operator of a node with two sides; several of them with blanks between."""
    found = field(node, "operator", "operators")
    if found is not None and len(node.named_children) <= 2:
        return text(found)
    return " ".join(text(each) for each in node.children if not each.is_named)


def number(literal: str) -> int | float | None:
    """Return the number that a literal of any of the languages writes."""
    plain = _SUFFIX.sub("", literal.replace("_", "")) if not literal.startswith("0x") else literal
    try:
        return int(plain.replace("_", "").rstrip("lLnu"), 0)
    except ValueError:
        pass
    try:
        found = float(plain)
    except ValueError:
        return int(plain) if plain.isdecimal() and len(plain) < _LONGEST else None
    return found if math.isfinite(found) else None


def unescaped(written: str) -> str:
    """Return a text with the characters that are written by their numbers."""
    return _CODE_POINT.sub(_character, written)


def folded(node: Node, dialect: Dialect, depth: int = _DEPTH) -> Constant | None:
    """Return the value of an expression that holds nothing but literals; None when it holds anything else.

    Known are literals, sums and products of them, joined, formatted, reversed and decoded texts, and what
    leaves a value as it is but for its kind or case.
    """
    if not depth:
        return None
    kind = node.type
    if kind in dialect.numbers:
        return number(text(node))
    if kind in dialect.strings:
        return _text(node, dialect, depth)
    if kind in _HOLDS and len(children(node)) == 1:
        return folded(children(node)[0], dialect, depth - 1)
    if kind in ("unary_expression", "unary_operator") and len(children(node)) == 1:
        inner, sign = folded(children(node)[0], dialect, depth - 1), node.children[0].type
        signed = {"-": -inner, "+": inner} if isinstance(inner, int | float) else {}
        return signed.get(sign)
    if kind in dialect.binary and len(children(node)) == 2:
        sides = [folded(each, dialect, depth - 1) for each in children(node)]
        return _binary(operator_of(node), sides[0], sides[1])
    if kind in dialect.calls:
        return _call(node, dialect, depth)
    if kind in ("subscript", "subscript_expression") and text(node).replace(" ", "").endswith("[::-1]"):
        whole = field(node, "value", "object")
        inner = folded(whole, dialect, depth - 1) if whole is not None else None
        return inner[::-1] if isinstance(inner, str) else None
    return None


def _text(node: Node, dialect: Dialect, depth: int) -> str | None:
    pieces = children(node) if node.type == "concatenated_string" else []
    if pieces:
        return _joined("", [folded(each, dialect, depth - 1) for each in pieces])
    inside = [each for each in node.children if each.type in _INTERPOLATES]
    said = unescaped(string_value(node))
    for each in inside:
        held = children(each)
        value = folded(held[0], dialect, depth - 1) if len(held) == 1 else None
        if value is None:
            return None
        said = said.replace(text(each), str(value), 1)
    return said


def _binary(sign: str, one: Constant | None, other: Constant | None) -> Constant | None:
    if one is None or other is None or sign not in _NUMBERS:
        return None
    if isinstance(one, str):
        if sign == "+":
            return _bounded(one + str(other))
        if sign == "*" and isinstance(other, int) and 0 <= other * len(one) <= _LONGEST:
            return one * other
        return _filled(one, [other]) if sign == "%" else None
    if isinstance(other, str):
        return _bounded(str(one) + other) if sign == "+" else None
    if sign in ("<<", ">>") and not 0 <= other <= _SHIFTS:
        return None
    try:
        return _bounded(_NUMBERS[sign](one, other))
    except (ArithmeticError, TypeError, ValueError):
        return None


def _bounded(value: Constant) -> Constant | None:
    size = len(value) if isinstance(value, str) else value.bit_length() if isinstance(value, int) else 0
    return value if size <= _LONGEST else None


def _call(node: Node, dialect: Dialect, depth: int) -> Constant | None:
    name, on = called(node), receiver(node)
    given = _items(arguments(node), dialect, depth)
    held = folded(on, dialect, depth - 1) if on is not None else None
    first = given[0] if given else None
    if name in ("join", "Join"):
        return _join(on, held, given, arguments(node), dialect, depth)
    if name == "concat" and isinstance(held, str):
        return _joined("", [held, *given])
    if name in ("format", "Sprintf", "sprintf") and given:
        return _filled(held, given) if isinstance(held, str) else _filled(first, given[1:])
    if name in ("chr", "fromCharCode", "fromCodePoint", "unichr") and given:
        return _joined("", [_chr(each) for each in given])
    if name in ("b64decode", "atob", "fromhex", "unhexlify", "decodeString", "DecodeString") and given:
        return _decoded(name, first)
    if name == "decode" and first is not None and "rot" in str(given[-1]).lower():
        return codecs.encode(str(first), "rot13")
    if name in ("reversed", "reverse") and (first if given else held) is not None:
        return str(first if given else held)[::-1]
    if name in _SAME and (held is None) != (first is None):
        return held if held is not None else first
    if name in _SAME and isinstance(held, str):
        return held
    return None


def _join(
    on: Node | None,
    held: Constant | None,
    given: Sequence[Constant | None],
    nodes_given: Sequence[Node],
    dialect: Dialect,
    depth: int,
) -> str | None:
    """Join as each language writes it: ``'-'.join([…])``, ``[…].join('-')``, ``String.join("-", …)``."""
    if isinstance(held, str):
        return _joined(held, given)
    if on is not None and on.type in dialect.collections:
        between = given[0] if given else ","
        return _joined(str(between), _items([on], dialect, depth)) if between is not None else None
    if nodes_given and nodes_given[0].type == "composite_literal":
        parts = [folded(each, dialect, depth - 1) for each in _texts(nodes_given[0], dialect)]
        return _joined(str(given[-1]), parts)
    return _joined(str(given[0]), given[1:]) if given and isinstance(given[0], str) else None


def _texts(node: Node, dialect: Dialect) -> list[Node]:
    return [each for each in nodes(node) if each.type in dialect.strings]


def _items(given: Sequence[Node], dialect: Dialect, depth: int) -> list[Constant | None]:
    """Return the values of arguments, and of a list that is the only one."""
    if len(given) == 1 and given[0].type in dialect.collections:
        given = children(given[0])
    return [folded(each, dialect, depth - 1) for each in given[:_LONGEST]]


def _joined(between: str, parts: Sequence[Constant | None]) -> str | None:
    if not parts or any(each is None for each in parts):
        return None
    found = between.join(map(str, parts))
    return found if len(found) <= _LONGEST else None


def _filled(form: Constant | None, given: Sequence[Constant | None]) -> str | None:
    """Return a form with its slots filled, in the order of what is given."""
    if not isinstance(form, str) or any(each is None for each in given):
        return None
    left = list(map(str, given))
    found = _SLOT.sub(lambda slot: left.pop(0) if left else slot[0], form)
    return found if len(found) <= _LONGEST else None


def _chr(value: Constant | None) -> str | None:
    return chr(value) if isinstance(value, int) and 0 <= value <= sys.maxunicode else None


def _decoded(name: str, value: Constant | None) -> str | None:
    said = str(value) if value is not None else ""
    try:
        if name in ("fromhex", "unhexlify"):
            return bytes.fromhex(said).decode("utf-8", "replace")
        return base64.b64decode(said, validate=True).decode("utf-8", "replace")
    except (ValueError, binascii.Error):
        return None


def _character(escape: re.Match[str]) -> str:
    point = int(escape[1] or escape[2] or escape[3], 16)
    return chr(point) if point <= sys.maxunicode else escape[0]


def made(node: Node, dialect: Dialect) -> tuple[int, ...]:
    """Return the numbers that a value is put together from: (2024, 2, 29) for ``date(2024, 2, 29)``."""
    node = _unwrapped(node)
    name = called(node)
    if node.type not in dialect.calls or not (_MAKES.match(name) or name[:1].isupper()):
        return ()
    numbers: list[int] = []
    for each in arguments(node)[:_MOST_PARTS]:
        value = folded(each, dialect)
        if isinstance(value, int):
            numbers.append(value)
        elif not is_constant(each, dialect, frozenset()):
            return ()
    while numbers and not numbers[-1]:
        numbers.pop()
    if name in ("Date", "UTC") and dialect.name in _MONTHS_FROM_0 and len(numbers) > 1:
        numbers[1] += 1
    return tuple(numbers) if len(numbers) > 1 else ()


def _unwrapped(node: Node) -> Node:
    """Return what stands within a sign, brackets, or ``unwrap`` and the like."""
    for _ in range(_MOST_PARTS):
        inner = children(node)[:1] if node.type in _WRAPS else []
        if called(node) in _UNWRAPS and (on := receiver(node)) is not None:
            inner = [on]
        if not inner:
            break
        node = inner[0]
    return node


def said_by(node: Node, dialect: Dialect) -> Node | None:
    """Return the text that a value is read from: the literal of ``Decimal('1.20')``."""
    node = _unwrapped(node)
    name, given = called(node), arguments(node)
    if node.type not in dialect.calls or not (_MAKES.match(name) or name[:1].isupper()) or not given:
        return None
    return given[0] if isinstance(folded(given[0], dialect), str) else None


def mentions(node: Node, names: frozenset[str], most: int = 200) -> bool:
    """Whether a short piece of code holds one of some names."""
    for count, each in enumerate(nodes(node)):
        if count > most:
            return False
        if not each.children and text(each) in names:
            return True
    return False
