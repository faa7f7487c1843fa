"""Handlers that read the same text in another form: it is no number, so that it is read as a date."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from ai_ops.core.guard.syntax.names import arguments, called, receiver, string_value
from ai_ops.core.guard.syntax.reading import Tree
from ai_ops.core.guard.syntax.tree import Spot, children, field, nodes, spots, text
from ai_ops.core.guard.syntax.values import is_constant

_HANDLERS = frozenset({"catch_clause", "except_clause"})
_READS = re.compile(
    r"[pP]ars|[dD]ecode|\Afrom(?:isoformat|timestamp|string)\Z|[sS]trptime"
    r"|\A(?:load|loads|int|float|Decimal|BigDecimal|Number|BigInt|Date|valueOf)\Z"
)
# What a handler may read with: functions of the standard libraries, which raise where they cannot read.
_STANDARD = re.compile(
    r"(?:(?:decimal\.)?Decimal|(?:fractions\.)?Fraction|(?:uuid\.)?UUID|int|float|complex|parseInt|parseFloat|Number"
    r"|BigInt|Date|BigDecimal|BigInteger|decodeURIComponent|(?:email\.)?(?:utils\.)?parsedate_to_datetime"
    r"|(?:json|tomllib)\.loads|ast\.literal_eval|(?:\w+\.)?(?:datetime|date|time)\.(?:fromisoformat|strptime)"
    r"|(?:\w+\.)?datetime\.fromtimestamp|(?:\w+\.)?(?:ET|ElementTree)\.fromstring"
    r"|(?:JSON|querystring|Date|(?:Local|Offset|Zoned)(?:Date)?(?:Time)?|LocalDate|Instant|Year|YearMonth|Duration|Period)\.parse"
    r"|(?:Integer|Long|Short|Byte)\.(?:parse(?:Int|Long|Short|Byte)|decode|valueOf)"
    r"|(?:Double|Float)\.(?:parseDouble|parseFloat|valueOf))"
)
_LOSES = re.compile(r"[\"'](?:ignore|replace|backslashreplace)[\"']|IGNORE|REPLACE")
_REPLACES = frozenset({"replace", "replaceAll"})
_CUTS = frozenset({"strip", "trim", "removeprefix", "removesuffix"})
_TAKES_ALL = re.compile(r"[.\])}\w][*+]|\\[SDWw]|\[\^|\.\{")
_A_SIGN = re.compile(r"[^\w\s\\$]?|%25|\+00:?00")  # or one sign, or the zone, as it is written out
_DEFAULTS = frozenset({"or", "||", "??"})
_STATEMENTS = 2  # of what is tried, at most: more is no reading of one text
_NO_END = frozenset({"break_statement", "continue_statement", "pass_statement"})


def rereads(tree: Tree) -> frozenset[int]:
    """Return the lines of the handlers that read again what could not be read, and answer what that gives.

    A constant on any way out of a handler, or one in the place of what is read, is no reading.
    """
    found = set()
    for spot in spots(tree.root):
        if spot.kind in _HANDLERS and spot.above is not None:
            tried = field(spot.above.node, "body")
            body = _body(spot.node)
            if tried is not None and body is not None and _reads_again(tried, body, tree):
                found.add(spot.line)
    return frozenset(found)


def _body(handler: Node) -> Node | None:
    found = field(handler, "body")
    return found or next((each for each in children(handler) if each.type == "block"), None)


def _reads_again(tried: Node, body: Node, tree: Tree) -> bool:
    if len(children(tried)) > _STATEMENTS or not _is_open(body, tree):
        return False
    reads = list(_reading(tried, tree))
    subjects = [each for read in reads if (each := _subject(read)) is not None]
    inputs = frozenset(text(each) for one in subjects for each in (one, _unmended(one, tree)))
    return any(
        _is_of(inputs, spot.node, tree)
        and all(_is_another_form(spot.node, each, tree) for each in reads)
        and _is_kept(spot, tree)
        for spot in spots(Spot(body), tree.dialect.functions)
        if _is_reading(spot.node, tree)
    )


def _is_another_form(call: Node, tried: Node, tree: Tree) -> bool:
    """Whether a call reads otherwise: by another function, in another format, or a text that was mended."""
    one, other = (_function(each) for each in (call, tried))
    if one != other or _is_mended(call, tree):
        return True
    forms = [
        [text(each) for each in arguments(node) if each.type in tree.dialect.strings]
        for node in (call, tried)
    ]
    return bool(forms[0] and forms[1]) and forms[0] != forms[1]


def _is_mended(call: Node, tree: Tree) -> bool:
    read = _subject(call)
    return read is not None and _unmended(read, tree) != read


def _is_of(inputs: frozenset[str], call: Node, tree: Tree) -> bool:
    """Whether a call of a standard library reads what was tried: all of it, as it is or mended."""
    on, name = receiver(call), called(call)
    decodes = name == "decode" and on is not None and text(on) in inputs
    if not decodes and not _STANDARD.fullmatch(f"{text(on)}.{name}" if on is not None else name):
        return False
    read = _subject(call)
    return read is not None and text(_unmended(read, tree)) in inputs


def _subject(call: Node) -> Node | None:
    """Return what a call reads: its first argument, or what it is called on."""
    on, given = receiver(call), arguments(call)
    if called(call) == "decode" and on is not None and (not given or given[0].type == "string"):
        return on
    return given[0] if given else on


def _unmended(read: Node, tree: Tree) -> Node:
    """Return the text that calls mend: cut at its ends, without a part, or with one sign for another."""
    while read.type in tree.dialect.calls and (on := receiver(read)) is not None and _mends(read, tree):
        read = on
    return read


def _mends(call: Node, tree: Tree) -> bool:
    given = arguments(call)
    if any(each.type not in tree.dialect.strings | {"regex"} for each in given):
        return False
    if called(call) in _CUTS:
        return True
    if called(call) not in _REPLACES or len(given) < _STATEMENTS:
        return False
    takes_all = _TAKES_ALL.search(text(given[0])) is not None or not string_value(given[0])
    return not takes_all and _A_SIGN.fullmatch(string_value(given[1])) is not None


def _function(call: Node) -> str:
    on = receiver(call)
    return f"{text(on)} {called(call)}"


def _reading(top: Node, tree: Tree) -> Iterator[Node]:
    return (each for each in nodes(top, tree.dialect.functions) if _is_reading(each, tree))


def _is_reading(node: Node, tree: Tree) -> bool:
    makes = node.type in tree.dialect.calls or node.type == "new_expression"
    return makes and _READS.search(called(node)) is not None and _LOSES.search(text(node)[:500]) is None


def _is_open(body: Node, tree: Tree) -> bool:
    """Whether no way through a body ends with a constant: each question that it asks may only raise."""
    dialect = tree.dialect
    bound = {kind: value for kind, _, value in dialect.bound}
    for node in nodes(body, dialect.functions):
        if node.type in _NO_END or (node.type in dialect.leaves and not children(node)):
            return False
        if node.type in dialect.leaves and is_constant(children(node)[0], dialect, frozenset()):
            return False
        if node.type in bound and is_constant(field(node, bound[node.type]), dialect, frozenset()):
            return False
        if node.type in dialect.conditionals and not _only_raises(node, tree):
            return False
    return True


def _only_raises(question: Node, tree: Tree) -> bool:
    branch = field(question, "consequence")
    inside = children(branch) if branch is not None else []
    other = field(question, "alternative")
    return other is None and bool(inside) and tree.dialect.raised(Spot(inside[-1])) is not None


def _is_kept(call: Spot, tree: Tree) -> bool:
    """Whether what is read is answered or given a name, without a constant in its place."""
    bound = {kind for kind, _, _ in tree.dialect.bound}
    for above in call.around():
        sign = text(field(above.node, "operator"))
        if above.kind in tree.dialect.binary and sign in _DEFAULTS:
            return False
        if above.kind in bound or above.kind in tree.dialect.leaves:
            return True
    return False
