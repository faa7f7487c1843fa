"""A rule about work that was done here and is handed to another thread, whose error nobody asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from ai_ops.core.guard.findings import Change, Finding, Severity
from ai_ops.core.guard.suite import is_test
from ai_ops.core.guard.syntax import Tree
from ai_ops.core.guard.syntax.names import arguments, called, function_scope, last, receiver
from ai_ops.core.guard.syntax.tree import children, nodes, spots, text

RULE = "swallowed_exception"
_HANDS = frozenset({"submit", "runAsync", "supplyAsync", "create_task", "ensure_future", "run_in_executor"})
_THREADS = frozenset({"Thread", "Timer"})
_FUNCTIONS = frozenset({"lambda_expression", "lambda", "method_reference", "arrow_function"})
_ALONE = frozenset({"expression_statement"})
_LANGUAGES = (".py", ".java")


def handed_away(change: Change) -> Iterator[Finding]:
    """Find calls that a function made itself and now hands away, in a statement that keeps no result.

    Blocked where there was a result to keep, a warning for a thread, which tells its error itself.
    """
    for file in change.files:
        if file.is_deleted or not file.path.endswith(_LANGUAGES) or is_test(change, file.path):
            continue
        before = change.tree(file.path, change.text(change.base, file.path))
        after = change.tree(file.path, change.text(change.after, file.path))
        if before is None or after is None:
            continue
        made, left = _made(before), _made(after)
        known = {(each.scope, each.name) for each in _handed(before)}
        for each in _handed(after):
            place = each.scope, each.name
            if place not in known and made[place] > left[place]:
                text = f"{each.name} runs apart, and nobody asks for what it may fail with"
                severity = Severity.WARNING if each.tells else Severity.BLOCKED
                yield Finding(RULE, f"{file.path}:{each.line}", text, severity)


def _made(tree: Tree) -> Counter[tuple[str, str]]:
    """Count the calls that each function makes itself."""
    found: Counter[tuple[str, str]] = Counter()
    for spot in spots(tree.root):
        if spot.kind in tree.dialect.calls and not any(each.kind in _FUNCTIONS for each in spot.around()):
            found[function_scope(spot, tree.dialect), called(spot.node)] += 1
    return found


@dataclass(frozen=True, slots=True)
class _Handed:
    """Work that a function hands away: what it calls; ``tells`` when an error of it is printed."""

    scope: str
    name: str
    line: int
    tells: bool


def _handed(tree: Tree) -> Iterator[_Handed]:
    for spot in spots(tree.root):
        inner = children(spot.node)[:1] if spot.kind in _ALONE else []
        call = inner[0] if inner and inner[0].type in tree.dialect.calls else None
        if call is not None and (hands := _hands(call)) is not None:
            for name in dict.fromkeys(_names(hands, tree)):
                tells = called(hands) in _THREADS
                yield _Handed(function_scope(spot, tree.dialect), name, spot.line, tells)


def _hands(call: Node) -> Node | None:
    """Return the call that hands work away, when a statement is nothing else."""
    if called(call) in _HANDS:
        return call
    on = receiver(call)
    return on if called(call) == "start" and on is not None and called(on) in _THREADS else None


def _names(call: Node, tree: Tree) -> Iterator[str]:
    """Yield the names of functions that are handed over, and of what they call."""
    for given in arguments(call):
        value = children(given)[-1] if given.type == "keyword_argument" and children(given) else given
        if value.type in ("identifier", "attribute", "method_reference"):
            yield last(text(value))
        for each in nodes(value):
            if each.type in tree.dialect.calls:
                yield called(each)
