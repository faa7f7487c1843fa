"""A rule about errors of Go and Rust that are values, and are dropped where they were passed on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from tree_sitter import Node

from ai_ops.core.guard.findings import Finding, Severity
from ai_ops.core.guard.syntax import Spot, Tree
from ai_ops.core.guard.syntax.conditions import read_condition
from ai_ops.core.guard.syntax.dialect import Dropped
from ai_ops.core.guard.syntax.names import called, function_scope, scope
from ai_ops.core.guard.syntax.rust import OPTIONAL, origin
from ai_ops.core.guard.syntax.tree import children, field, nodes, spots, text

RULE = "swallowed_exception"
_FALLIBLE = frozenset(
    {
        "parse", "from_str", "from_utf8", "from_slice",
        "from_reader", "read_to_string", "read", "read_line", "write",
        "write_all", "flush", "open", "create", "send",
        "recv", "lock", "try_from", "try_into", "from_str_radix",
        "join", "connect", "execute", "query", "commit", "decode", "to_string_pretty", "deserialize",
    }
)  # fmt: skip
_STOPS = frozenset({"unwrap", "expect"})
_SETTLED = "allSettled"
_ALONE = frozenset({"expression_statement", "go_statement"})


def dropped(path: str, before: Tree, after: Tree) -> Iterator[Finding]:
    """Find results whose error is newly dropped: blocked where it was passed on, or is surely an error."""
    old = Counter(
        (_where(each.spot, before), each.called, each.how) for each in before.dialect.dropped(before.root)
    )
    then, now = _passed_on(before), _passed_on(after)
    tried, tries = _passed_on(before, stops=False), _passed_on(after, stops=False)
    absent, fallible = _kinds(before, after)
    settled = _Settled(before, after) if _SETTLED in text(after.root.node) else None
    for each in after.dialect.dropped(after.root):
        where = _where(each.spot, after)
        if old[where, each.called, each.how] > 0:
            old[where, each.called, each.how] -= 1
            continue
        if each.called in absent and each.called not in fallible:
            continue  # a value that may be absent, not an error
        was = then[where, each.called] > now[where, each.called] or (
            settled is not None and each.called == _SETTLED and settled.hides(each)
        )
        was_tried = tried[where, each.called] > tries[where, each.called]
        named = bool(each.called) or after.dialect.name == "rust"
        blocked = not named or was_tried or (was and each.called in fallible | {_SETTLED})
        severity = Severity.BLOCKED if blocked else Severity.WARNING
        said = f"what {each.called or 'a call'} may fail with is lost: {each.how}"
        yield Finding(RULE, f"{path}:{each.spot.line}", said, severity)
    yield from _forgotten(path, before, after)
    if after.dialect.name == "go":
        yield from _narrowed(path, before, after)


class _Settled:
    """What two states of a file say of promises that are awaited together, read once for all of them."""

    def __init__(self, before: Tree, after: Tree) -> None:
        self._dialect = after.dialect
        names = [Counter(map(text, _properties(tree))) for tree in (before, after)]
        failed = [text(tree.root.node).count("rejected") for tree in (before, after)]
        self._is_asked = names[1]["reason"] > names[0]["reason"] or failed[1] > failed[0]
        self._fewer_all = names[0]["all"] > names[1]["all"]
        self._made: dict[str, set[str]] = {}
        for spot in spots(before.root):
            if spot.kind == "call_expression":
                self._made.setdefault(function_scope(spot, before.dialect), set()).add(called(spot.node))

    def hides(self, each: Dropped) -> bool:
        """Whether promises that were awaited may now fail, and nobody asks for their reason."""
        if self._is_asked:
            return False
        made = self._made.get(function_scope(each.spot, self._dialect), set())
        inside = {called(node) for node in nodes(each.spot.node) if node.type == "call_expression"}
        return self._fewer_all or not (inside & made) <= {"map", "", _SETTLED}


def _properties(tree: Tree) -> Iterator[Node]:
    return (spot.node for spot in spots(tree.root) if spot.kind == "property_identifier")


def looked_at(before: Tree, after: Tree) -> frozenset[str]:
    """Return the functions of Go that drop fewer errors than before, or forget fewer."""
    if before.dialect.name != "go":
        return frozenset()
    then, now = _lost(before), _lost(after)
    seen = _passed_on(after)
    return frozenset(key[0] for key, number in then.items() if now[key] < number and seen[key])


def _lost(tree: Tree) -> Counter[tuple[str, str]]:
    """Count the calls in each function whose error may be lost."""
    found = Counter((_where(each.spot, tree), each.called) for each in tree.dialect.dropped(tree.root))
    found.update({key: len(lines) for key, lines in _alone(tree).items()})
    return found


def _where(spot: Spot, tree: Tree) -> str:
    return scope(spot, tree.dialect)


def _kinds(*trees: Tree) -> tuple[frozenset[str], frozenset[str]]:
    """Return names whose result may be absent, and those whose result may be an error."""
    absent, fallible = set(OPTIONAL), set(_FALLIBLE)
    for tree in trees:
        for spot in spots(tree.root):
            if spot.kind in ("function_item", "function_signature_item"):
                gives = text(field(spot.node, "return_type"))
                name = text(field(spot.node, "name"))
                if gives.startswith("Option"):
                    absent.add(name)
                elif "Result" in gives.partition("<")[0]:
                    fallible.add(name)
    return frozenset(absent), frozenset(fallible)


def _passed_on(tree: Tree, *, stops: bool = True) -> Counter[tuple[str, str]]:
    """Count the calls whose error is looked at: by ``?`` in Rust, by a name for it in Go.

    With ``stops``, those too that end the program by ``unwrap``, which a value that is absent does as well.
    """
    found: Counter[tuple[str, str]] = Counter()
    for spot in spots(tree.root):
        node = spot.node
        if node.type == "try_expression" or (
            stops and node.type == "call_expression" and called(node) in _STOPS
        ):
            found[_where(spot, tree), origin(node)] += 1
        elif (
            node.type == "await_expression" and children(node) and children(node)[0].type == "call_expression"
        ):
            found[_where(spot, tree), called(children(node)[0])] += 1
        elif node.type in ("short_var_declaration", "assignment_statement"):
            left, right = field(node, "left"), field(node, "right")
            names = [text(each) for each in children(left)] if left is not None else []
            values = children(right) if right is not None else []
            if names and len(values) == 1 and values[0].type == "call_expression" and names[-1] != "_":
                found[_where(spot, tree), called(values[0])] += 1
    return found


def _forgotten(path: str, before: Tree, after: Tree) -> Iterator[Finding]:
    """Find calls that are statements of their own, where their error was looked at, or they were awaited."""
    then, now, old = _passed_on(before), _passed_on(after), _alone(before)
    for (where, name), lines in _alone(after).items():
        more = len(lines) - len(old.get((where, name), ()))
        if more > 0 and then[where, name] > now[where, name]:
            yield Finding(RULE, f"{path}:{lines[-1]}", f"what {name} may fail with is not looked at any more")


def _alone(tree: Tree) -> dict[tuple[str, str], list[int]]:
    found: dict[tuple[str, str], list[int]] = {}
    for spot in spots(tree.root):
        inner = children(spot.node)
        if spot.kind == "expression_statement" and inner and text(inner[0]).startswith("void "):
            inner = children(inner[0])
        if spot.kind in _ALONE and inner and inner[0].type == "call_expression":
            name = origin(inner[0]) if tree.dialect.name == "rust" else called(inner[0])
            if tree.dialect.name == "rust" and called(inner[0]) in _STOPS:
                continue
            found.setdefault((_where(spot, tree), name), []).append(spot.line)
    return found


_IS_THERE = re.compile(r"(\w*[eE]rr(?:or)?\w*) != nil")


def _narrowed(path: str, before: Tree, after: Tree) -> Iterator[Finding]:
    """Find errors of Go that are looked at only when something else holds, and were looked at always."""
    then, now = _asked(before), _asked(after)
    for (where, name, also), lines in now.items():
        always = (where, name, "")
        if also and always in then and (where, name, also) not in then:
            if always in now and len(now[always]) >= len(then[always]):
                continue
            yield Finding(RULE, f"{path}:{lines[-1]}", f"{name} is looked at only when {also[:80]}")


def _asked(tree: Tree) -> dict[tuple[str, str, str], list[int]]:
    """Return the lines that ask for an error, by function, name and what has to hold as well.

    What has to hold of the error itself tells some errors from others, and is left out.
    """
    found: dict[tuple[str, str, str], list[int]] = {}
    for spot in spots(tree.root):
        if spot.kind != "if_statement":
            continue
        for part in read_condition(field(spot.node, "condition"), tree.dialect).either:
            names = [match[1] for each in part if (match := _IS_THERE.fullmatch(each))]
            others = [each for each in sorted(part) if not _IS_THERE.fullmatch(each)]
            if len(names) == 1 and not any(re.search(rf"\b{names[0]}\b", each) for each in others):
                key = (_where(spot, tree), names[0], " && ".join(others))
                found.setdefault(key, []).append(spot.line)
    return found
