"""The checks of a file: where it refuses a value by raising, by an answer that says no, or by a verdict."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from ai_ops.core.guard.syntax.conditions import ALWAYS, NOTHING, Condition, read_condition
from ai_ops.core.guard.syntax.names import arguments, called, function_around, receiver, scope
from ai_ops.core.guard.syntax.reading import Tree
from ai_ops.core.guard.syntax.tree import Spot, children, field, nodes, spots, text, words

REFUSAL, VERDICT, FALSE, LEAVES = "a refusal", "a verdict", "a no", "an early end"
_HANDED, _COMPLAINT = "an error handed on", "a complaint"
UNRAISED = frozenset({REFUSAL, VERDICT, FALSE, LEAVES, _HANDED, _COMPLAINT})
"""What a check may do in place of raising."""
_REFUSES = re.compile(
    r"(?<![\w.])4\d\d(?![\w.])|forbidden|unauthori[sz]ed|bad_?request|unprocessable|http\.Error|sendError|denied"
    r"|\bredirect\b",
    re.IGNORECASE,
)
_JUDGES = re.compile(
    r"(?:^|[_.])(?i:is|has|can|may|should|in_?valid|validate|check|verify|allow|ensure|require|authori[sz]e|assert"
    r"|permit|accept|match)(?:$|[_A-Z0-9])|[vV]alid|[aA]llowed|[pP]ermi|[aA]uthori[sz]"
)
_HANDLERS = frozenset({"catch_clause", "except_clause", "except_group_clause"})
_CALLBACKS = frozenset({"cb", "callback", "next", "done", "reject"})
_IS_ERROR = re.compile(r"\A(?:e|ex|err\w*|error\w*|\w+Err(?:or)?|new \w*Error\b.*)\Z", re.DOTALL)
_ADDS = frozenset({"push", "append", "add", "addError", "add_error", "rejectValue", "put", "set"})
_ERRORS = re.compile(r"err(?:or)?s\b|violations|problems|complaints|failures|issues", re.IGNORECASE)
_STOPS_ITERATION = frozenset({"StopIteration", "StopAsyncIteration"})
_ERROR_IS_THERE = re.compile(r"\A\w*[eE]rr(?:or)?\w* != nil\Z")
_STATEMENT = re.compile(r"_(?:statement|item|declaration|definition)\Z|\A(?:if|match|for|while|loop|return)_")
_LONGEST = 500  # characters of a branch that only refuses
_UNDONE = re.compile(r"not.?implemented|unsupported.?operation|\btodo\b|unimplemented", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its function, what it raises (a type, or one of the words above), when, its code.

    ``demanded`` when the condition is what has to hold, as in an assertion. ``in_handler`` when it only
    raises another error for one that was caught. ``undone`` when it says that something is not implemented.
    """

    scope: str
    raises: str
    when: Condition
    code: str
    line: int
    demanded: bool = False
    in_handler: bool = False
    undone: bool = False
    otherwise: bool = False


def checks(tree: Tree) -> list[Check]:
    """Return the checks of a file in the order of its lines."""
    found = [check for spot in spots(tree.root) for check in _checks(spot, tree)]
    return sorted(found, key=lambda check: check.line)


def grants(tree: Tree) -> list[Check]:
    """Return where functions that judge say yes: always, or when a condition holds."""
    found = []
    for spot in spots(tree.root):
        if spot.kind in ("return_statement", "return_expression") and _judges(spot, tree):
            if text(next(iter(children(spot.node)), None)) not in ("true", "True"):
                continue
            branch, condition, otherwise = _guarding(spot, tree)
            when = condition if branch is not None else ALWAYS
            found.append(_check(branch or spot, tree, LEAVES, when, code=spot, otherwise=otherwise))
    return found


def _checks(spot: Spot, tree: Tree) -> Iterator[Check]:
    dialect, node = tree.dialect, spot.node
    kind = dialect.raised(spot)
    if (demanded := dialect.asserted(node)) is not None:
        first = _first_argument(demanded)
        yield _check(spot, tree, "AssertionError", read_condition(first, dialect), demanded=True)
    elif kind is not None:
        check = _raising(spot, tree, kind)
        if not (dialect.errors_are_values and _passes_on(check)):
            yield check
    elif node.type in dialect.conditionals:
        yield from _refusing(spot, tree)
    elif node.type in dialect.calls and (told := _tells(node)):
        branch, condition, otherwise = _guarding(spot, tree)
        if branch is not None:
            yield _check(branch, tree, told, condition, code=spot, otherwise=otherwise)
    elif node.type in ("return_statement", "return_expression"):
        yield from _returning(spot, tree)
    elif (
        dialect.name == "rust" and node.type == "block" and spot.above and spot.above.kind == "function_item"
    ):
        last = next(reversed(children(node)), None)
        if last is not None and not _STATEMENT.search(last.type) and _judges(spot, tree):
            yield _check(Spot(last, spot), tree, VERDICT, read_condition(last, dialect), demanded=True)


def _tells(node: Node) -> str:
    """Return how a call tells of an error without raising it: handed to a callback, or put among errors."""
    name, given = called(node), arguments(node)
    if name in _CALLBACKS and given and _IS_ERROR.match(text(given[0])):
        return _HANDED
    among = text(given[0]) if name == "append" and len(given) > 1 else text(receiver(node))
    return _COMPLAINT if name in _ADDS and _ERRORS.search(among.rpartition(".")[2] or among) else ""


def _passes_on(check: Check) -> bool:
    """Whether an error that is a value is only passed on; ``catching`` and ``dropping`` see to those."""
    return not check.raises or (
        any(_ERROR_IS_THERE.match(each) for part in check.when.either for each in part)
    )


def _handles(spot: Spot) -> bool:
    if spot.kind == "match_arm":
        return text(field(spot.node, "pattern")).startswith("Err(")
    return spot.kind in _HANDLERS


def _first_argument(node: Node) -> Node:
    """Return the condition of an assertion that may have a message beside it."""
    inner = children(node)
    return inner[0] if node.type in ("arguments", "argument_list") and inner else node


def _raising(spot: Spot, tree: Tree, kind: str) -> Check:
    branch, condition, otherwise = _guarding(spot, tree)
    where = branch or spot
    return _check(where, tree, kind, condition, code=spot, otherwise=otherwise)


def _guarding(spot: Spot, tree: Tree) -> tuple[Spot | None, Condition, bool]:
    """Return the nearest conditional around a place in its function, and whether it is its other branch."""
    below = spot
    for above in spot.around():
        if above.kind in tree.dialect.functions and above.kind != "lambda_expression":
            break
        if (
            above.kind == "expression_case"
            and (chosen := _chosen(above)) is not None
            and below.node != chosen
        ):
            return above, read_condition(chosen, tree.dialect), False
        if above.kind in tree.dialect.conditionals:
            condition = field(above.node, "condition")
            if condition is not None and below.node == condition:
                break
            other = field(above.node, "alternative")
            is_other = other is not None and (other == below.node)
            return above, read_condition(condition, tree.dialect), is_other
        below = above
    return None, NOTHING, False


def _chosen(case: Spot) -> Node | None:
    """Return the condition of a case of Go's switch that chooses by conditions, when it has one."""
    value = field(case.node, "value")
    if case.above is None or field(case.above.node, "value") is not None or value is None:
        return None
    return children(value)[0] if len(children(value)) == 1 else None


def _returning(spot: Spot, tree: Tree) -> Iterator[Check]:
    """Yield an answer that refuses, a no of a function that judges, its verdict, and an early end."""
    dialect, node = tree.dialect, spot.node
    value = next(iter(children(node)), None)
    if value is not None and value.type == "expression_list" and len(children(value)) == 1:
        value = children(value)[0]
    branch, condition, otherwise = _guarding(spot, tree)
    said = text(value)
    judges = _judges(spot, tree)
    if branch is not None and any(True for _ in _refusing(branch, tree)):
        return
    if judges and said in ("false", "False"):
        yield _check(branch or spot, tree, FALSE, condition, code=spot, otherwise=otherwise)
    elif judges and value is not None and value.type != "expression_list":
        if branch is None:
            yield _check(spot, tree, VERDICT, read_condition(value, dialect), demanded=True)
    elif branch is not None and not otherwise:
        yield _check(branch, tree, LEAVES, condition, code=spot)


def _refusing(branch: Spot, tree: Tree) -> Iterator[Check]:
    """Yield a branch that says no to somebody outside, and nothing more."""
    dialect, body = tree.dialect, field(branch.node, "consequence", "body")
    if body is None or body.end_byte - body.start_byte > 4 * _LONGEST:
        return
    if any(each.type in dialect.conditionals for each in nodes(body)):
        return
    code = words(body)
    if len(code) < _LONGEST and _REFUSES.search(code) is not None:
        inside = Spot(body, branch)
        condition = read_condition(field(branch.node, "condition"), dialect)
        yield _check(branch, tree, REFUSAL, condition, code=inside)


def _judges(spot: Spot, tree: Tree) -> bool:
    around = function_around(spot, tree.dialect)
    if around is None:
        return False
    return _JUDGES.search(scope(spot, tree.dialect).rpartition(".")[2]) is not None


def _check(
    spot: Spot,
    tree: Tree,
    raises: str,
    when: Condition,
    *,
    code: Spot | None = None,
    demanded: bool = False,
    otherwise: bool = False,
) -> Check:
    node = (code or spot).node
    shown = words(node, strings=tree.dialect.strings)
    in_handler = any(_handles(above) for above in (code or spot).around())
    undone = raises in _STOPS_ITERATION or _UNDONE.search(f"{raises} {shown[:300]}") is not None
    where = scope(code or spot, tree.dialect)
    return Check(where, raises, when, shown, spot.line, demanded, in_handler, undone, otherwise)
