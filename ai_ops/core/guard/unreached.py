"""A rule about functions that refuse, are still there, and that nobody asks any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ai_ops.core.guard.findings import Change, Finding, Reader, Severity
from ai_ops.core.guard.suite import is_test
from ai_ops.core.guard.syntax import Tree
from ai_ops.core.guard.syntax.checks import UNRAISED, checks
from ai_ops.core.guard.syntax.names import called, function_scope
from ai_ops.core.guard.syntax.tree import Spot, field, spots, text
from ai_ops.core.guard.words import decides_who, is_about_safety

RULE = "check_removed"
_DOTTED = frozenset(
    {"attribute", "member_expression", "selector_expression", "field_expression", "method_invocation"}
)


def asked_no_more(change: Change) -> Iterator[Finding]:
    """Find functions with checks that are named nowhere else in the changed files, as they were before.

    Another function that is asked in its place, in those files or new, makes it no finding. Blocked where it
    decides who may do something: elsewhere files that did not change may ask it, and it is a warning.
    """
    before, after = _trees(change, change.base), _trees(change, change.after)
    then, now = _mentions(before, plainly=True), _mentions(after)
    refusing, left, all_before = _refusing(before), _refusing(after), _mentions(before)
    asked = {name for name in left if now[name] > all_before[name]}
    called_then, called_now, places = _called(before), _called(after), _places(before, frozenset(refusing))
    new = {(path, where) for path, where, _ in called_now - called_then}
    for name, (path, said) in refusing.items():
        if then[name] and not now[name] and name in left and not asked:
            severe = is_about_safety(name) or decides_who(said)
            if severe or not places[name] <= new:
                text = f"in the changed files nobody asks {name} any more, which refuses"
                yield Finding(RULE, path, text, Severity.BLOCKED if severe else Severity.WARNING)


def _called(trees: list[tuple[str, Tree]]) -> Counter[tuple[str, str, str]]:
    """Count the calls by file, function and name."""
    return Counter(
        (path, function_scope(spot, tree.dialect), called(spot.node))
        for path, tree in trees
        for spot in spots(tree.root)
        if spot.kind in tree.dialect.calls
    )


def _places(trees: list[tuple[str, Tree]], names: frozenset[str]) -> dict[str, set[tuple[str, str]]]:
    """Return the files and functions in which each of some functions is named."""
    found: dict[str, set[tuple[str, str]]] = {name: set() for name in names}
    for path, tree in trees:
        for spot in spots(tree.root, tree.dialect.imports):
            is_name = "identifier" in spot.kind and not spot.node.children
            if is_name and (name := text(spot.node)) in found and not _is_declared(spot, tree):
                found[name].add((path, function_scope(spot, tree.dialect)))
    return found


def _trees(change: Change, reader: Reader) -> list[tuple[str, Tree]]:
    found = []
    for file in change.files:
        source = None if file.is_binary or is_test(change, file.path) else change.text(reader, file.path)
        tree = change.tree(file.path, source) if source is not None else None
        if tree is not None:
            found.append((file.path, tree))
    return found


def _refusing(trees: list[tuple[str, Tree]]) -> dict[str, tuple[str, str]]:
    """Return the functions that raise under a condition, each with its file and what it raises when."""
    found: dict[str, tuple[str, str]] = {}
    for path, tree in trees:
        named = {
            text(field(spot.node, "name"))
            for spot in spots(tree.root)
            if spot.kind in tree.dialect.functions & tree.dialect.named
        }
        for check in checks(tree):
            name = check.scope.rpartition(".")[2]
            if name in named and check.raises not in UNRAISED and check.when.either and not check.in_handler:
                found.setdefault(name, (path, f"{name} {check.raises} {check.when.code}"))
    return found


def _mentions(trees: list[tuple[str, Tree]], *, plainly: bool = False) -> Counter[str]:
    """Count the places that call a function or hand it on, its own code and what it is declared by left out.

    With ``plainly`` not those where something else is asked for a name, which may be another function.
    """
    found: Counter[str] = Counter()
    for _, tree in trees:
        for spot in spots(tree.root, tree.dialect.imports):
            if "identifier" not in spot.kind or spot.node.children or _is_declared(spot, tree):
                continue
            if not (plainly and _is_of_another(spot)):
                found[text(spot.node)] += 1
    return found


def _is_of_another(spot: Spot) -> bool:
    above = spot.above.node if spot.above is not None else None
    held = field(above, "object", "operand", "value") if above is not None else None
    dotted = above is not None and above.type in _DOTTED and held is not None and held != spot.node
    return dotted and text(held) not in ("self", "this", "cls")


def _is_declared(spot: Spot, tree: Tree) -> bool:
    name = text(spot.node)
    return any(
        each.kind in tree.dialect.named and text(field(each.node, "name")) == name for each in spot.around()
    ) or (spot.above is not None and spot.above.kind in ("export_specifier", "pair", "object"))
