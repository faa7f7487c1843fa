"""Handlers that read the same text in another form: it is no number, so that it is read as a date."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from ai_ops.core.guard.syntax.names import arguments, called, receiver
from ai_ops.core.guard.syntax.reading import Tree
from ai_ops.core.guard.syntax.tree import Spot, children, field, nodes, spots, text
from ai_ops.core.guard.syntax.values import is_constant

_HANDLERS = frozenset({"catch_clause", "except_clause"})
_READS = re.compile(
    r"[pP]ars|[dD]ecode|\Afrom|[sS]trptime|\A(?:load|loads|int|float|Decimal|BigDecimal|Number|BigInt|Date|valueOf)\Z"
)
_LOSES = re.compile(r"[\"'](?:ignore|replace|backslashreplace)[\"']|IGNORE|REPLACE")
_MENDS = frozenset(
    {"replace", "replaceAll", "sub", "strip", "trim", "removeprefix", "removesuffix", "translate"}
)
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
    inputs = frozenset().union(*map(_given, reads)) if reads else frozenset()
    return any(
        not inputs.isdisjoint(_given(spot.node))
        and all(_is_another_form(spot.node, each, tree) for each in reads)
        and _is_kept(spot, tree)
        for spot in spots(Spot(body), tree.dialect.functions)
        if _is_reading(spot.node, tree)
    )


def _is_another_form(call: Node, tried: Node, tree: Tree) -> bool:
    """Whether a call reads otherwise: by another function, in another format, or a text that was mended."""
    one, other = (_function(each) for each in (call, tried))
    if one != other or _is_of_mended(call, tried, tree):
        return True
    forms = [
        [text(each) for each in arguments(node) if each.type in tree.dialect.strings]
        for node in (call, tried)
    ]
    return bool(forms[0] and forms[1]) and forms[0] != forms[1]


def _is_of_mended(call: Node, tried: Node, tree: Tree) -> bool:
    """Whether a call is given a part of what was tried that is replaced or cut in the text before."""
    made = (each for given in arguments(call) for each in nodes(given) if each.type in tree.dialect.calls)
    inputs = _given(tried)
    return any(called(each) in _MENDS and not inputs.isdisjoint(_given(each)) for each in made)


def _function(call: Node) -> str:
    on = receiver(call)
    return f"{text(on)} {called(call)}"


def _reading(top: Node, tree: Tree) -> Iterator[Node]:
    return (each for each in nodes(top, tree.dialect.functions) if _is_reading(each, tree))


def _is_reading(node: Node, tree: Tree) -> bool:
    makes = node.type in tree.dialect.calls or node.type == "new_expression"
    return makes and _READS.search(called(node)) is not None and _LOSES.search(text(node)[:500]) is None


def _given(call: Node) -> frozenset[str]:
    """Return the names of what a call is given, and of what it is called on."""
    on = receiver(call)
    given = [*arguments(call), *([on] if on is not None else [])]
    return frozenset(text(each) for one in given for each in nodes(one) if each.type == "identifier")


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
