"""A rule about errors that are hidden in JavaScript, TypeScript, Java, Go and Rust.

Handlers are compared as syntax trees, base against after, as those of Python are in ``handlers``. A handler
is free when it was there word for word, or when one for the same types was there that was no better.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ai_ops.core.guard.exception_bases import bases
from ai_ops.core.guard.findings import Finding, Severity
from ai_ops.core.guard.syntax import Dialect, Spot, Tree
from ai_ops.core.guard.syntax.names import function_around, scope
from ai_ops.core.guard.syntax.outcomes import Outcome, outcome, raised_words
from ai_ops.core.guard.syntax.rereading import rereads
from ai_ops.core.guard.syntax.tree import words
from ai_ops.core.guard.syntax.values import constants

RULE = "swallowed_exception"
_BROAD = frozenset(
    {"Exception", "Throwable", "Error", "RuntimeException", "Object", "recover", "any", "unknown"}
)
_SAID = {
    Outcome.EMPTY: "does nothing with the error",
    Outcome.SILENT: "neither handles nor raises the error",
    Outcome.MENDS: "does not raise the error",
    Outcome.PARTLY: "does not always raise the error",
    Outcome.PASSES_ON: "hands the error over and goes on",
}


@dataclass(frozen=True)
class Handler:
    """A place where errors end: its function, the types, its code, what becomes of them.

    ``narrowed`` when it looks at the error to tell some from others. ``repeated`` when the same work is done
    again around it, so that an error that is not raised at once may be raised at the end.
    """

    scope: str
    types: frozenset[str]
    code: str
    line: int
    outcome: Outcome
    narrowed: bool
    repeated: bool

    @property
    def broad(self) -> bool:
        """Whether it takes errors of every kind."""
        return not self.narrowed and (not self.types or not self.types.isdisjoint(_BROAD))


def handlers(tree: Tree) -> list[Handler]:
    """Return the handlers of a file in the order of its lines."""
    dialect = tree.dialect
    known = constants(tree.root.node, dialect)
    raised: dict[int, frozenset[str]] = {}
    found = []
    for each in dialect.caught(tree.root):
        function = function_around(each.spot, dialect)
        around = function.node if function else tree.root.node
        if around.id not in raised:
            raised[around.id] = raised_words(around, dialect)
        found.append(
            Handler(
                scope(each.spot, dialect),
                each.types,
                words(each.body) if each.body is not None else words(each.spot.node),
                each.spot.line,
                outcome(each, dialect, known, raised[around.id]),
                each.narrowed,
                any(_repeats(above, dialect) for above in each.spot.around()),
            )
        )
    return sorted(found, key=lambda handler: handler.line)


def _is_gain(handler: Handler, looked_at: frozenset[str]) -> bool:
    """Whether an error that was lost before is at least looked at now, where it cannot be raised."""
    return not handler.types and handler.scope in looked_at


def _repeats(spot: Spot, dialect: Dialect) -> bool:
    """Whether a loop does the same again, and not something for each of many values."""
    if spot.kind not in dialect.loops or spot.kind in ("for_in_statement", "enhanced_for_statement"):
        return False
    if spot.kind == "for_expression":
        value = spot.node.child_by_field_name("value")
        return value is not None and value.type == "range_expression"
    return all(each.type != "range_clause" for each in spot.node.children)


def hidden(
    path: str, before: Tree, after: Tree, exception_type: str, looked_at: frozenset[str]
) -> Iterator[Finding]:
    """Find handlers that hide an error which was not hidden before.

    ``looked_at`` are the functions in which an error is newly looked at that nobody looked at before.
    """
    logged = re.split(r"[.\\:$*]", exception_type)[-1]
    old, mended = handlers(before), rereads(after)
    for handler in _new(old, handlers(after)):
        caught = ", ".join(sorted(handler.types)) or "everything"
        counterpart = _counterpart(old, handler)
        widened = counterpart is not None and _is_wider(counterpart, handler)
        rule = "broadened_exception" if widened else RULE
        mends = handler.line in mended and (not handler.types or not handler.broad)
        hides = _hides(handler, logged) and not _is_gain(handler, looked_at) and not mends
        blocked = widened or hides
        severity = Severity.BLOCKED if blocked else Severity.WARNING
        text = f"a new handler for {caught} {_SAID[handler.outcome]}"
        if widened:
            text = f"a handler now takes {caught}, more than before, and {_SAID[handler.outcome]}"
        yield Finding(rule, f"{path}:{handler.line}", text, severity)


def _new(before: Sequence[Handler], after: Sequence[Handler]) -> list[Handler]:
    """Return handlers that do not always raise and have no like among those that were there."""
    exact = Counter((each.types, each.code) for each in before)
    left = []
    for each in after:
        if exact[each.types, each.code] > 0:
            exact[each.types, each.code] -= 1
        elif each.outcome is not Outcome.RAISES:
            left.append(each)
    spare = [each for each in before if exact[each.types, each.code] > 0]
    return [each for each in left if not _covered(each, spare)]


def _covered(handler: Handler, spare: list[Handler]) -> bool:
    """Whether a handler that was there in the same function was as bad; it then counts for this one alone."""
    for each in spare:
        same = each.scope == handler.scope and each.types == handler.types
        if same and each.outcome >= handler.outcome and (handler.narrowed or not each.narrowed):
            spare.remove(each)
            return True
    return False


def _counterpart(before: Sequence[Handler], handler: Handler) -> Handler | None:
    """Return the handler that became this one: in the same function, with the same code or the only one."""
    there = [each for each in before if each.scope == handler.scope and each.types]
    same = [each for each in there if each.code == handler.code]
    return same[0] if same else there[0] if len(there) == 1 else None


def _is_wider(before: Handler, after: Handler) -> bool:
    """Whether a handler takes more than the one that it was."""
    if before.types < after.types or (after.broad and not before.broad):
        return after.types != {"recover"}
    return after.types != before.types and all(_catches(after.types, each) for each in before.types)


def _catches(types: frozenset[str], name: str) -> bool:
    """Whether a handler for some types takes an error of that name."""
    return not types.isdisjoint(bases(name))


def _tells_apart(handler: Handler, logged: str) -> bool:
    """Whether a handler that takes more asks for the logged type by its name."""
    asked = rf"\binstanceof (?:\w+ \. ){{0,9}}{re.escape(logged)}\b"
    return bool(logged) and re.search(asked, handler.code) is not None


def _hides(handler: Handler, logged: str) -> bool:
    if handler.outcome in (Outcome.EMPTY, Outcome.SILENT):
        return True
    if handler.outcome is Outcome.PARTLY:
        takes = handler.broad or _catches(handler.types, logged) or _tells_apart(handler, logged)
        return not handler.repeated and takes
    if handler.outcome is Outcome.PASSES_ON:
        return False
    return handler.broad or _catches(handler.types, logged)
