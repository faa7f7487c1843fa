"""Rules about errors that are hidden instead of repaired.

Python is compared as syntax trees, base against after, so that moved or re-indented code is not new.
Other languages get one small text rule: an empty ``catch``.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ai_ops.core.diff import FileDiff
from ai_ops.core.guard.findings import Change, Finding, Severity
from ai_ops.core.guard.suite import is_test_path

_LOGGING = frozenset(
    {
        "debug",
        "info",
        "warning",
        "warn",
        "error",
        "exception",
        "critical",
        "fatal",
        "log",
        "print",
        "print_exc",
        "write",
    }
)
_BROAD = frozenset({"", "Exception", "BaseException", "builtins.Exception", "builtins.BaseException"})
_CATCH_LANGUAGES = (
    ".java", ".kt", ".kts", ".scala", ".groovy", ".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".cs", ".php",
    ".cpp", ".cc", ".dart", ".swift",
)  # fmt: skip
_EMPTY_CATCH = re.compile(r"\bcatch\b[^{}]{0,300}\{\s{0,300}\}")
_STRUCTURES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class _Handler:
    """One ``except``: where, for which types, and whether it lets nobody know."""

    scope: str
    types: frozenset[str]
    body: str
    line: int
    swallows: bool
    reraises: bool

    @property
    def broad(self) -> bool:
        return bool(self.types & _BROAD) and not self.reraises


@dataclass
class _Errors(ast.NodeVisitor):
    """Everything in a module that has to do with errors."""

    handlers: list[_Handler] = field(default_factory=list)
    suppressed: list[tuple[str, int]] = field(default_factory=list)
    raised: list[tuple[str, int]] = field(default_factory=list)
    returns_in_finally: list[tuple[str, int]] = field(default_factory=list)
    _scope: tuple[str, ...] = ()

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, _STRUCTURES):
            outer, self._scope = self._scope, (*self._scope, node.name)
            self.generic_visit(node)
            self._scope = outer
            return
        if isinstance(node, ast.ExceptHandler):
            self.handlers.append(self._handler(node))
        elif isinstance(node, ast.With | ast.AsyncWith):
            self._suppressions(node)
        elif isinstance(node, ast.Raise | ast.Assert):
            self.raised.append((ast.dump(node), node.lineno))
        elif isinstance(node, ast.Try | ast.TryStar):
            for statement in _own(node.finalbody):
                if isinstance(statement, ast.Return | ast.Break | ast.Continue):
                    self.returns_in_finally.append((ast.dump(statement), statement.lineno))
        self.generic_visit(node)

    def _handler(self, node: ast.ExceptHandler) -> _Handler:
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type] if node.type else []
        types = frozenset(ast.unparse(kind) for kind in kinds) or frozenset({""})
        return _Handler(
            ".".join(self._scope),
            types,
            "".join(map(ast.dump, node.body)),
            node.lineno,
            all(_is_silent(statement) for statement in node.body),
            any(isinstance(statement, ast.Raise) for statement in _own(node.body)),
        )

    def _suppressions(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            call = item.context_expr
            if isinstance(call, ast.Call) and _last_name(call.func) in (
                "suppress",
                "ignored",
                "suppress_errors",
            ):
                self.suppressed.extend((ast.unparse(argument), node.lineno) for argument in call.args)


def _own(statements: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """Yield the nodes of statements without those of functions and classes defined in them."""
    waiting: list[ast.AST] = list(statements)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (*_STRUCTURES, ast.Lambda)):
            waiting.extend(ast.iter_child_nodes(node))


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _is_constant(node: ast.expr | None) -> bool:
    """Whether a value says nothing about the error: a literal, or an empty or constant container."""
    if node is None or isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.UnaryOp):
        return _is_constant(node.operand)
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return all(map(_is_constant, node.elts))
    if isinstance(node, ast.Dict):
        return all(map(_is_constant, (*node.keys, *node.values)))
    plain = isinstance(node, ast.Call) and not node.args and not node.keywords
    return (
        plain
        and isinstance(node, ast.Call)
        and _last_name(node.func) in ("dict", "list", "set", "tuple", "str")
    )


def _is_silent(node: ast.stmt) -> bool:
    """Whether a statement of a handler neither mends nor reports: pass, a constant, a line in a log."""
    if isinstance(node, ast.Pass | ast.Continue | ast.Break):
        return True
    if isinstance(node, ast.Return):
        return _is_constant(node.value)
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return _is_constant(node.value)
    if isinstance(node, ast.Expr):
        logs = isinstance(node.value, ast.Call) and _last_name(node.value.func) in _LOGGING
        return logs or isinstance(node.value, ast.Constant)
    return False


def _errors(source: str | None) -> _Errors | None:
    """Return what a module does with errors; None when it cannot be parsed."""
    found = _Errors()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.visit(ast.parse(source or ""))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return found


def _new(before: Sequence[tuple[str, int]], after: Sequence[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """Yield what ``after`` has more of than ``before``, with its line."""
    known = Counter(what for what, _ in before)
    for what, line in after:
        if known[what] > 0:
            known[what] -= 1
        else:
            yield what, line


def swallowed(change: Change) -> Iterator[Finding]:
    """Find handlers that hide an error, or catch more than before."""
    for file in change.files:
        if file.is_deleted or file.is_binary or is_test_path(file.path):
            continue
        if file.path.endswith((".py", ".pyi")):
            yield from _swallowed_python(change, file)
        elif file.path.endswith(_CATCH_LANGUAGES):
            before, after = (
                _empty_catches(change.text(r, file.path) or "") for r in (change.base, change.after)
            )
            if len(after) > len(before):
                place = f"{file.path}:{next((line for _, line in _new(before, after)), after[-1][1])}"
                yield Finding("swallowed_exception", place, "an empty catch hides the error")


def _swallowed_python(change: Change, file: FileDiff) -> Iterator[Finding]:
    before = _errors(change.text(change.base, file.path))
    after = _errors(change.text(change.after, file.path))
    if before is None:
        yield Finding("unread_code", file.path, "the file was not valid Python before", Severity.WARNING)
        return
    if after is None:
        yield Finding("syntax_error", file.path, "the file is not valid Python any more")
        return
    for line, text in _hiding_handlers(before.handlers, after.handlers):
        yield Finding("swallowed_exception", f"{file.path}:{line}", text)
    for line, text in _broadened(before.handlers, after.handlers):
        yield Finding("broadened_exception", f"{file.path}:{line}", text)
    for what, line in _new(before.suppressed, after.suppressed):
        yield Finding("swallowed_exception", f"{file.path}:{line}", f"{what} is suppressed")
    for _, line in _new(before.returns_in_finally, after.returns_in_finally):
        yield Finding("swallowed_exception", f"{file.path}:{line}", "leaving a finally drops the error")


def _hiding_handlers(before: Sequence[_Handler], after: Sequence[_Handler]) -> Iterator[tuple[int, str]]:
    """Yield new handlers of which nobody hears."""

    def keys(handlers: Sequence[_Handler]) -> list[tuple[str, int]]:
        return [(f"{sorted(each.types)} {each.body}", each.line) for each in handlers if each.swallows]

    lines = {each.line: each for each in after}
    for _, line in _new(keys(before), keys(after)):
        caught = ", ".join(sorted(filter(None, lines[line].types))) or "everything"
        yield line, f"an except for {caught} neither handles nor raises the error"


def _broadened(before: Sequence[_Handler], after: Sequence[_Handler]) -> Iterator[tuple[int, str]]:
    """Yield handlers that catch more than they did, and new ones that catch everything."""
    known = Counter((each.types, each.body) for each in before)
    broad = Counter(each.types for each in before if each.broad)
    for index, handler in enumerate(after):
        key = (handler.types, handler.body)
        if known[key] > 0:
            known[key] -= 1
            if handler.broad:
                broad[handler.types] -= 1
            continue
        old = _counterpart(before, after, index)
        if old is not None and old.types < handler.types:
            more = ", ".join(sorted(handler.types - old.types)) or "everything"
            yield handler.line, f"an except now also catches {more}"
        elif handler.broad and broad[handler.types] > 0:
            broad[handler.types] -= 1
        elif handler.broad:
            yield handler.line, "a new except catches every error"


def _counterpart(before: Sequence[_Handler], after: Sequence[_Handler], index: int) -> _Handler | None:
    """Return the handler that ``after[index]`` was: the same body, else the same place in its function."""
    handler = after[index]
    place = sum(1 for each in after[:index] if each.scope == handler.scope)
    there = [each for each in before if each.scope == handler.scope]
    same = [each for each in there if each.body == handler.body]
    if same:
        return same[0]
    here = sum(1 for each in after if each.scope == handler.scope)
    return there[place] if len(there) == here else None


def removed_raise(change: Change) -> Iterator[Finding]:
    """Find checks that are gone: a warning, because a wrong check can be the fault itself."""
    for file in change.files:
        if not file.path.endswith(".py") or is_test_path(file.path) or file.is_binary:
            continue
        before = _errors(change.text(change.base, file.path))
        after = _errors(change.text(change.after, file.path))
        if before and after:
            for _, line in _new(after.raised, before.raised):
                text = f"the raise or assert of line {line} is gone or changed"
                yield Finding("check_removed", file.path, text, Severity.WARNING)


def _without_comments(text: str) -> str:
    """Blank out comments, keeping line numbers; in one pass."""
    out, at = [], 0
    while at < len(text):
        block, line = text.find("/*", at), text.find("//", at)
        starts = [start for start in (block, line) if start >= 0]
        if not starts:
            break
        start = min(starts)
        end = text.find("*/", start) if start == block else text.find("\n", start)
        end = len(text) if end < 0 else end + (2 if start == block else 0)
        out.append(text[at:start] + "\n" * text.count("\n", start, end))
        at = end
    return "".join([*out, text[at:]])


def _empty_catches(text: str) -> list[tuple[str, int]]:
    plain = _without_comments(text)
    return [
        (found.group().split("{")[0].strip(), plain.count("\n", 0, found.start()) + 1)
        for found in _EMPTY_CATCH.finditer(plain)
    ]
