"""Everything in a Python module that has to do with errors, for the rules to compare before and after."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ai_ops.core.guard.bindings import Bindings, bindings, last_name
from ai_ops.core.guard.quieting import quiet, suppresses
from ai_ops.core.guard.reading import read_python

LOGGING = frozenset(
    {
        "debug", "info", "warning", "warn", "error", "exception", "critical", "fatal", "log", "print",
        "print_exc", "write",
    }
)  # fmt: skip
_BROAD = frozenset({"", "Exception", "BaseException"})
_STRUCTURES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_LEAVING = (ast.Return, ast.Break, ast.Continue)


@dataclass(frozen=True)
class Handler:
    """One ``except``: where, for which types, and whether it lets nobody know.

    ``reraises`` when it raises somewhere, ``always_raises`` when there is no other way out of it. ``retries``
    when it may let the same work be done again, and the error is raised in the end.
    """

    scope: str
    types: frozenset[str]
    body: str
    line: int
    swallows: bool
    reraises: bool
    always_raises: bool
    retries: bool = False

    @property
    def broad(self) -> bool:
        """Whether it catches every error and raises none."""
        return bool(self.types & _BROAD) and not self.reraises


@dataclass
class Errors(ast.NodeVisitor):
    """What a module does with errors; the pairs are what was found and its line.

    ``suppressed`` is lost, ``raised_later`` is kept as a value and may be raised. ``declared`` has the types
    that a ``with`` or a decorator is given.
    """

    names: Bindings
    handlers: list[Handler] = field(default_factory=list)
    suppressed: list[tuple[str, int]] = field(default_factory=list)
    raised_later: list[tuple[str, int]] = field(default_factory=list)
    declared: list[tuple[frozenset[str], str, int]] = field(default_factory=list)
    raised: list[tuple[str, int]] = field(default_factory=list)
    returns_in_finally: list[tuple[str, int]] = field(default_factory=list)
    raised_names: set[str] = field(default_factory=set)
    _scope: tuple[str, ...] = ()
    _repeats: int = 0

    def visit(self, node: ast.AST) -> None:
        """Visit a node and all below it."""
        if isinstance(node, _STRUCTURES):
            self._structure(node)
            return
        if isinstance(node, ast.ExceptHandler):
            self.handlers.append(self._handler(node))
        elif isinstance(node, ast.withitem):
            self._declare(node.context_expr)
        elif isinstance(node, ast.Raise | ast.Assert):
            self.raised.append((ast.dump(node), node.lineno))
        elif isinstance(node, ast.Try | ast.TryStar):
            for statement in _own(node.finalbody):
                if isinstance(statement, _LEAVING):
                    self.returns_in_finally.append((ast.dump(statement), statement.lineno))
        repeats = _is_repetition(node)
        self._repeats += repeats
        self.generic_visit(node)
        self._repeats -= repeats

    def _structure(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        if isinstance(node, ast.ClassDef):
            kinds = [base for base in node.bases if suppresses(base, self.names)]
            self.suppressed.extend((f"what {node.name} is given", node.lineno) for _ in kinds)
        elif node.name in ("__exit__", "__aexit__") and any(map(_returns_something, _own(node.body))):
            self.suppressed.append((f"what passes {'.'.join((*self._scope, node.name))}", node.lineno))
        for decorator in node.decorator_list:
            self._declare(decorator)
        outer, self._scope = self._scope, (*self._scope, node.name)
        repeats, self._repeats = self._repeats, 0
        self.generic_visit(node)
        self._scope, self._repeats = outer, repeats

    def _declare(self, node: ast.expr) -> None:
        """Take in the types that a ``with`` or a decorator is given."""
        if isinstance(node, ast.Call):
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            types = [each for each in given if isinstance(each, ast.Name | ast.Attribute | ast.Tuple)]
            if types:
                kinds = frozenset().union(*map(self.names.types, types))
                self.declared.append((kinds, ast.dump(node), node.lineno))

    def _handler(self, node: ast.ExceptHandler) -> Handler:
        return Handler(
            ".".join(self._scope),
            self.names.types(node.type),
            "".join(map(ast.dump, node.body)),
            node.lineno,
            all(self._is_silent(statement) for statement in node.body),
            any(isinstance(statement, ast.Raise) for statement in _own(node.body)),
            _raises(node.body) and not any(isinstance(each, _LEAVING) for each in _own(node.body)),
            bool(self._repeats) and (_raises_when_asked(node) or self._keeps(node)),
        )

    def _keeps(self, node: ast.ExceptHandler) -> bool:
        """Whether a handler only keeps its error under a name that is raised somewhere."""
        kept = {
            last_name(target)
            for each in _own(node.body)
            if isinstance(each, ast.Assign) and node.name and last_name(each.value) == node.name
            for target in each.targets
        }
        leaves = any(isinstance(each, ast.Return | ast.Break) for each in _own(node.body))
        return not leaves and not kept.isdisjoint(self.raised_names - {""})

    def _is_silent(self, node: ast.stmt) -> bool:
        """Whether a statement neither mends nor reports: pass, a constant, a line in a log."""
        if isinstance(node, ast.Pass | ast.Continue | ast.Break):
            return True
        if isinstance(node, ast.Return | ast.Assign | ast.AnnAssign):
            return self.names.is_constant(node.value)
        if isinstance(node, ast.If):
            return all(map(self._is_silent, (*node.body, *node.orelse)))
        if isinstance(node, ast.Expr):
            logs = isinstance(node.value, ast.Call) and last_name(node.value.func) in LOGGING
            return logs or isinstance(node.value, ast.Constant)
        return False


def _own(statements: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """Yield the nodes of statements without those of functions and classes defined in them."""
    waiting: list[ast.AST] = list(statements)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (*_STRUCTURES, ast.Lambda)):
            waiting.extend(ast.iter_child_nodes(node))


def _returns_something(node: ast.AST) -> bool:
    nothing = isinstance(node, ast.Return) and isinstance(node.value, ast.Constant) and not node.value.value
    return isinstance(node, ast.Return) and node.value is not None and not nothing


def _raises(body: Sequence[ast.stmt]) -> bool:
    """Whether every way through a body meets a raise."""
    return any(
        isinstance(each, ast.Raise)
        or (isinstance(each, ast.If) and _raises(each.body) and _raises(each.orelse))
        for each in body
    )


def _is_repetition(node: ast.AST) -> bool:
    """Whether a loop does the same again: by count or by condition, not for each of many values."""
    if isinstance(node, ast.For | ast.AsyncFor):
        return isinstance(node.iter, ast.Call) and last_name(node.iter.func) in ("range", "count")
    return isinstance(node, ast.While)


def _raises_when_asked(node: ast.ExceptHandler) -> bool:
    """Whether a handler raises on a condition that is none of constants, and else goes round again."""
    asks = any(
        isinstance(each, ast.If) and not isinstance(each.test, ast.Constant) and _raises(each.body)
        for each in node.body
    )
    return asks and not any(isinstance(each, ast.Return | ast.Break) for each in _own(node.body))


def errors(source: str | None) -> Errors | None:
    """Return what a module does with errors; None when it cannot be parsed."""
    return read_python(source, _errors, None)


def _errors(module: ast.Module) -> Errors:
    raised = {last_name(each.exc) for each in ast.walk(module) if isinstance(each, ast.Raise) and each.exc}
    found = Errors(bindings(module), raised_names=raised)
    found.visit(module)
    for each in quiet(module, found.names):
        (found.raised_later if each.raised_later else found.suppressed).append((each.what, each.line))
    return found
