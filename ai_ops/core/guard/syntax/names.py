"""Names in any of the languages: what is called, what a string says, which scope a place is in."""

from __future__ import annotations

import re

from tree_sitter import Node

from ai_ops.core.guard.syntax.dialect import Dialect
from ai_ops.core.guard.syntax.tree import Spot, field, text

_LAST = re.compile(r"(\w+)!?(?:::<[^()]{0,200}>)?\s*\Z")
_QUOTES = re.compile(r"\A[A-Za-z&$@]{0,3}#{0,9}(\"\"\"|'''|\"|'|`)(.*?)(?:\1)?#{0,9}\Z", re.DOTALL)


def last(name: str) -> str:
    """Return the last part of a dotted name."""
    found = _LAST.search(name[-300:])
    return found[1] if found else ""


def called(node: Node) -> str:
    """Return the last name of what a call calls, of a macro or of a class that is made."""
    if node.type == "macro_invocation":
        return last(text(field(node, "macro")))
    function = field(node, "name", "function", "constructor", "type")
    if function is not None and function.type == "generic_function":
        function = field(function, "function")
    if function is not None and function.type == "generic_type":
        function = function.named_children[0]
    return last(text(function))


def receiver(node: Node) -> Node | None:
    """Return what a method is called on."""
    function = field(node, "function")
    if function is not None and function.type == "generic_function":
        function = field(function, "function")
    if function is None:
        return field(node, "object")
    return field(function, "object", "operand", "value")


def arguments(node: Node) -> list[Node]:
    """Return the arguments of a call."""
    given = field(node, "arguments")
    return [] if given is None else [each for each in given.named_children if "comment" not in each.type]


def string_value(node: Node) -> str:
    """Return what a string literal says, its escapes as they are written."""
    found = _QUOTES.match(text(node))
    return found[2] if found else text(node)


def scope(spot: Spot, dialect: Dialect) -> str:
    """Return the names of the functions and classes around a place, dotted."""
    names = [
        text(field(each.node, "name", "type", "key", "left"))
        for each in spot.around()
        if each.kind in dialect.named
    ]
    return ".".join(name for name in reversed(names) if name)


def function_around(spot: Spot, dialect: Dialect) -> Spot | None:
    """Return the innermost function around a place."""
    return next((each for each in spot.around() if each.kind in dialect.functions), None)


def function_scope(spot: Spot, dialect: Dialect) -> str:
    """Return the scope of the innermost function around a place, whatever is given a name inside it."""
    around = function_around(spot, dialect)
    return scope(Spot(around.node, around), dialect) if around is not None else ""
