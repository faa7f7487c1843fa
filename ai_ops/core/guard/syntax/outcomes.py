"""What becomes of an error where it is caught: it is raised, passed on, mended, or nobody hears of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum

from tree_sitter import Node

from ai_ops.core.guard.syntax.dialect import Caught, Dialect
from ai_ops.core.guard.syntax.names import arguments, called
from ai_ops.core.guard.syntax.tree import Spot, children, field, nodes, spots, text
from ai_ops.core.guard.syntax.values import is_constant


class Outcome(IntEnum):
    """From good to bad: ``PARTLY`` raises on some ways, ``MENDS`` does other work, ``SILENT`` only logs."""

    RAISES = 0
    PASSES_ON = 1
    PARTLY = 2
    MENDS = 3
    SILENT = 4
    EMPTY = 5


_LOGS = re.compile(
    r"\A(?:debug|info|warn(?:ing)?|error|exception|critical|fatal|log|trace|print\w*|e?println|eprint|dbg|fprint\w*"
    r"|Print\w*|Debug\w*|Info\w*|Warn\w*|Error[fw]?|Log\w*|severe|fine|finer|dir|group|captureException|captureMessage"
    r"|noticeError|recordException|getMessage|toString|printStackTrace|format|sprintf|Sprintf|String|stringify"
    r"|Str|Err|Msg|Msgf|to_string|With\w*|atError|atWarn|counter|increment|inc|add_event)\Z"
)
_PASSES_ON = re.compile(
    r"\A(?:next|reject|done|callback|cb|retry|onError|completeExceptionally|setException|failure|onFailure"
    r"|addSuppressed|fail|interrupt|abort|sendError|Fatalf?|respondError|handleError|writeError|emit|push_err)\Z"
)
_REFUSES = re.compile(
    r"(?:\b|[a-z_])(?:4\d\d|5\d\d)\b|[bB]ad_?Request|Unprocessable|InternalServerError|HttpStatus"
)
_ANSWERS = frozenset(
    {"status", "sendStatus", "writeHead", "code", "Error", "badRequest", "sendError", "WriteHeader"}
)


_THROUGH = frozenset({"expression_list", "else_clause"})


def own(body: Node, dialect: Dialect) -> Iterator[Spot]:
    """Yield what runs with a body, not what functions inside it do when they are called."""
    return spots(Spot(body), dialect.functions)


def outcome(caught: Caught, dialect: Dialect, known: frozenset[str], raised: frozenset[str]) -> Outcome:
    """Return what becomes of an error.

    Args:
        caught: where it is caught.
        dialect: the language.
        known: the names of constants.
        raised: the words of what the function around raises.
    """
    body = caught.body
    if body is None:
        return Outcome.SILENT
    if caught.is_value and body.type in (
        "identifier",
        "member_expression",
        "method_reference",
        "field_access",
    ):
        return _handed_to(body)
    found = list(own(body, dialect))
    raises = [each for each in found if dialect.raised(each) is not None]
    if _surely_raises(Spot(body), dialect) and not any(
        each.kind in dialect.leaves and not _holds(each, raises) for each in found
    ):
        return Outcome.RAISES
    if not caught.is_value and not children(body):
        return Outcome.EMPTY
    told = any(
        _passes_on(each.node, caught.variable, dialect)
        for each in found
        if not any(dialect.raised(above) is not None for above in each.around())
    )
    if told or _kept(caught, found, dialect, raised):
        return Outcome.PASSES_ON
    if any(_is_real(each, body, dialect) for each in raises):
        return Outcome.PARTLY
    return Outcome.SILENT if _is_silent(body, caught, dialect, known) else Outcome.MENDS


def _handed_to(name: Node) -> Outcome:
    last = re.split(r"\W+", text(name))[-1]
    if _PASSES_ON.match(last):
        return Outcome.PASSES_ON
    return Outcome.SILENT if _LOGS.match(last) or last in ("noop", "undefined") else Outcome.MENDS


def _holds(spot: Spot, raises: list[Spot]) -> bool:
    """Whether a statement that leaves is itself what raises, as ``return err`` does."""
    return any(
        each.node == spot.node or any(above.node == spot.node for above in each.around()) for each in raises
    )


def _surely_raises(spot: Spot, dialect: Dialect) -> bool:
    """Whether every way through a body meets a raise. Each node is asked once."""
    if dialect.raised(spot) is not None:
        return True
    node = spot.node
    if node.type in dialect.conditionals:
        for part in (field(node, "consequence"), field(node, "alternative")):
            if part is None or not _surely_raises(Spot(part, spot), dialect):
                return False
        return True
    if node.type in dialect.blocks | dialect.statements | dialect.leaves | _THROUGH:
        for child in children(node):
            if _surely_raises(Spot(child, spot), dialect):
                return True
    return False


def _is_real(raised: Spot, body: Node, dialect: Dialect) -> bool:
    """Whether a raise can be reached: no condition around it is constant."""
    for above in raised.around():
        if above.kind in dialect.conditionals:
            condition = field(above.node, "condition")
            if is_constant(condition, dialect, frozenset()):
                return False
        if above.node == body:
            break
    return True


def _kept(caught: Caught, found: list[Spot], dialect: Dialect, raised: frozenset[str]) -> bool:
    """Whether the error is kept under another name that is raised later, as a retry does at its end."""
    if not caught.variable:
        return False
    kinds = {kind: (name, value) for kind, name, value in dialect.bound}
    names = set()
    for each in found:
        if each.kind in kinds and caught.variable in re.findall(
            r"\w+", text(field(each.node, kinds[each.kind][1]))
        ):
            names.add(text(field(each.node, kinds[each.kind][0])))
    return not names.isdisjoint(raised)


def raised_words(function: Node, dialect: Dialect) -> frozenset[str]:
    """Return the words of everything that a function raises itself."""
    raised = (each.node for each in own(function, dialect) if dialect.raised(each) is not None)
    return frozenset(word for node in raised for word in re.findall(r"\w+", text(node)))


def _passes_on(node: Node, variable: str, dialect: Dialect) -> bool:
    """Whether a call hands the error to somebody, or answers with a refusal."""
    if node.type not in dialect.calls:
        return False
    name = called(node)
    if _PASSES_ON.match(name):
        return True
    if name in _ANSWERS and _REFUSES.search(text(node)[:500]):
        return True
    if not variable or _LOGS.match(name) or node.type == "macro_invocation":
        return False
    return any(
        each.type == "identifier" and text(each) == variable
        for given in arguments(node)
        for each in nodes(given)
    )


def _is_silent(body: Node, caught: Caught, dialect: Dialect, known: frozenset[str]) -> bool:
    """Whether a body neither mends nor tells anybody: constants, and lines in a log."""
    if caught.is_value:
        return is_constant(body, dialect, known) or _only_logs(body, dialect)
    kinds = {kind: value for kind, _, value in dialect.bound}
    for spot in own(body, dialect):
        node = spot.node
        if any(above.kind in dialect.calls for above in spot.around()):
            continue
        if node.type in dialect.calls:
            if not _LOGS.match(called(node)) and not is_constant(node, dialect, known):
                return False
        elif node.type in dialect.leaves:
            if not all(_says_nothing(each, caught, dialect, known) for each in children(node)):
                return False
        elif (
            node.type in kinds and not _says_nothing(field(node, kinds[node.type]), caught, dialect, known)
        ) or node.type in dialect.loops:
            return False
    return _tail_is_constant(body, dialect, known)


def _says_nothing(value: Node | None, caught: Caught, dialect: Dialect, known: frozenset[str]) -> bool:
    return is_constant(value, dialect, known) or (bool(caught.variable) and text(value) == caught.variable)


def _only_logs(body: Node, dialect: Dialect) -> bool:
    made = [each for each in nodes(body) if each.type in dialect.calls]
    return bool(made) and body.type in dialect.calls and all(_LOGS.match(called(each)) for each in made)


def _tail_is_constant(body: Node, dialect: Dialect, known: frozenset[str]) -> bool:
    """Whether the value of a block, where a language has that, is constant too."""
    if "if_expression" not in dialect.conditionals:
        return True
    last = next(reversed(children(body)), None)
    if last is None or "statement" in last.type or "declaration" in last.type:
        return True
    return last.type in (*dialect.leaves, "macro_invocation") or is_constant(last, dialect, known)
