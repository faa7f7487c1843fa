"""What Python code asks about the process that runs it: its callers, its command line, its number.

A program that knows these can tell a test run from production. Some have honest uses, as a pid in the name
of a file, so it counts whether the answer can decide anything.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from ai_ops.core.guard.bindings import Bindings, bindings, last_name
from ai_ops.core.guard.python_errors import LOGGING
from ai_ops.core.guard.reading import read_python

_BY_LAST_NAME = frozenset(
    {
        "_getframe", "_getframemodulename", "_current_frames", "currentframe", "getouterframes",
        "getinnerframes", "extract_stack", "walk_stack", "format_stack", "print_stack", "findCaller",
        "StackSummary", "orig_argv", "get_referrers", "f_back", "f_code", "f_globals", "f_builtins",
        "tb_frame", "tb_next", "gi_frame", "cr_frame", "ag_frame", "__traceback__",
    }
)  # fmt: skip
_BY_WHOLE_NAME = frozenset(
    {
        "sys.argv", "sys.modules", "sys.meta_path", "sys.path_hooks", "sys.path_importer_cache",
        "sys.settrace", "sys.gettrace", "sys.setprofile", "sys.getprofile", "sys.monitoring",
        "sys.dont_write_bytecode", "inspect.stack", "inspect.trace", "gc.get_objects", "gc.get_referents",
    }
)  # fmt: skip
_VALUES = frozenset(
    {
        "getpid", "getppid", "getpgid", "getpgrp", "getsid", "getlogin", "gethostname", "getfqdn",
        "parent_process",
    }
)  # fmt: skip
_WHOLE_VALUES = frozenset(
    {
        "os.uname", "os.getuid", "os.geteuid", "os.getgid", "platform.node", "platform.uname",
        "getpass.getuser", "psutil.Process", "multiprocessing.current_process",
    }
)  # fmt: skip
_TELLING_MODULES = frozenset({"sys", "os", "posix", "inspect", "gc", "traceback"})
_IMPORTS = frozenset({"__import__", "import_module"})
_TELLS_PEOPLE = LOGGING | {
    "with_traceback", "format_exception", "print_exception", "format_tb", "print_tb", "TracebackException",
}  # fmt: skip
_PARSES = frozenset({"parse_args", "parse_known_args"})
_WEIGHS = frozenset(
    {
        "min", "max", "range", "divmod", "bool", "abs", "round", "pow", "sorted", "any", "all", "filter",
        "map", "get", "len", "eq", "ne", "lt", "gt", "le", "ge", "contains", "startswith", "endswith",
    }
)  # fmt: skip
_TESTS = frozenset({"tests", "conftest"})
_KEEPS = frozenset({"int", "str", "float", "repr"})
_CHOICES = (ast.If, ast.While, ast.IfExp, ast.Assert, ast.comprehension, ast.Match)


@dataclass(frozen=True)
class Sign:
    """One question: its name, its line, whether an answer is free, and whether it decides something."""

    what: str
    line: int
    free: bool
    decides: bool


def signs(source: str | None) -> tuple[Sign, ...]:
    """Return what a module asks; nothing when it cannot be parsed."""
    return read_python(source, lambda module: tuple(_Module(module, bindings(module)).signs()), ())


@dataclass
class _Module:
    module: ast.Module
    names: Bindings
    parents: dict[int, ast.AST] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for node in ast.walk(self.module):
            for child in ast.iter_child_nodes(node):
                self.parents[id(child)] = node

    def signs(self) -> Iterator[Sign]:
        kept: dict[str, str] = {}
        for node in ast.walk(self.module):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield from _imports(node)
            elif isinstance(node, ast.expr) and (what := self._asks(node)):
                yield self._sign(node, what)
                kept |= dict.fromkeys(self._kept_as(node), what)
        for node in ast.walk(self.module):
            if isinstance(node, ast.Name | ast.Attribute) and last_name(node) in kept and self._decides(node):
                what = kept[last_name(node)]
                yield Sign(what, node.lineno, False, True)

    def _asks(self, node: ast.expr) -> str:
        """Return the name of what an expression asks for, empty when it asks for nothing."""
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            return ""
        origin = self._origin(node)
        last = origin.split(".")[-1] or last_name(node)
        whole = ".".join(origin.split(".")[-2:])
        if last in _BY_LAST_NAME | _VALUES:
            return last
        return whole if whole in _BY_WHOLE_NAME | _WHOLE_VALUES or whole.endswith(".?") else ""

    def _origin(self, node: ast.expr) -> str:
        """Return a dotted name, also of ``getattr(os, "getpid")``, ``vars(os)["getpid"]`` and imports."""
        if isinstance(node, ast.Attribute):
            before = self._origin(node.value)
            return f"{before}.{node.attr}" if before else ""
        if isinstance(node, ast.Subscript):
            held = node.value
            if isinstance(held, ast.Call) and last_name(held.func) == "vars" and held.args:
                return self._member(held.args[0], node.slice)
            if isinstance(held, ast.Attribute) and held.attr == "__dict__":
                return self._member(held.value, node.slice)
            return ""
        if isinstance(node, ast.Call):
            called = last_name(node.func)
            if called in _IMPORTS and node.args and isinstance(node.args[0], ast.Constant):
                return str(node.args[0].value)
            several = called == "getattr" and len(node.args) > 1
            return self._member(node.args[0], node.args[1]) if several else ""
        return self.names.origin(node)

    def _member(self, holder: ast.expr, name: ast.expr) -> str:
        origin = self._origin(holder)
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            return f"{origin}.{name.value}"
        return f"{origin}.?" if origin in _TELLING_MODULES else ""

    def _sign(self, node: ast.expr, what: str) -> Sign:
        decides = self._decides(node)
        is_value = what in _VALUES | _WHOLE_VALUES
        return Sign(what, node.lineno, not decides if is_value else self._is_free(node, what), decides)

    def _above(self, node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
        """Yield each pair of a node and the one around it, up to the statement."""
        while not isinstance(node, ast.stmt) and id(node) in self.parents:
            yield node, self.parents[id(node)]
            node = self.parents[id(node)]

    def _decides(self, node: ast.AST) -> bool:
        """Whether the value of an expression is compared, weighed or chosen by."""
        for inner, outer in self._above(node):
            if isinstance(outer, _CHOICES) and inner in (getattr(outer, "test", None), *_conditions(outer)):
                return True
            if isinstance(outer, ast.Compare | ast.BoolOp) or (
                isinstance(outer, ast.Subscript) and inner is outer.slice
            ):
                return True
            if isinstance(outer, ast.BinOp) and not _joins_text(outer):
                return True
            if isinstance(outer, ast.Call) and last_name(outer.func) in _WEIGHS:
                return True
        return False

    def _is_free(self, node: ast.expr, what: str) -> bool:
        """Whether an answer is only told to people, or is used as everybody does."""
        outer = self.parents[id(node)]
        if what == "sys.modules":
            return isinstance(outer, ast.Subscript) and last_name(outer.slice) == "__name__"
        calls = {last_name(above.func) for _, above in self._above(node) if isinstance(above, ast.Call)}
        if what == "sys.argv":
            main = any(isinstance(each, ast.If) and _is_main(each) for each in self._around(node))
            return not _PARSES.isdisjoint(calls) or (main and not self._decides(node))
        told = isinstance(outer, ast.Call) and isinstance(self.parents[id(outer)], ast.Expr)
        return not self._decides(node) and (not _TELLS_PEOPLE.isdisjoint(calls) or told)

    def _around(self, node: ast.AST) -> Iterator[ast.AST]:
        while id(node) in self.parents:
            node = self.parents[id(node)]
            yield node

    def _kept_as(self, node: ast.expr) -> Iterator[str]:
        """Yield the names that hold an answer as it is, and the functions that return it."""
        at: ast.AST = self.parents[id(node)]
        while isinstance(at, ast.Call | ast.NamedExpr) or (
            isinstance(at, ast.JoinedStr | ast.FormattedValue) and len(getattr(at, "values", "1")) == 1
        ):
            inside = isinstance(at, ast.Call) and at.args and last_name(at.func) not in _KEEPS
            if isinstance(at, ast.NamedExpr):
                yield at.target.id
            if inside:
                return
            at = self.parents[id(at)]
        if isinstance(at, ast.Assign | ast.AnnAssign):
            targets = at.targets if isinstance(at, ast.Assign) else [at.target]
            yield from filter(None, map(last_name, targets))
        elif isinstance(at, ast.Return | ast.Lambda):
            yield from self._function(at)

    def _function(self, node: ast.AST) -> Iterator[str]:
        for around in (node, *self._around(node)):
            if isinstance(around, ast.FunctionDef | ast.AsyncFunctionDef):
                yield around.name
                return
            if isinstance(around, ast.Assign):
                yield from filter(None, map(last_name, around.targets))
                return


def _imports(node: ast.Import | ast.ImportFrom) -> Iterator[Sign]:
    """Yield imports of the running program, and of tests, where helpers could ask for the code."""
    if isinstance(node, ast.ImportFrom):
        modules = [node.module or ""]
        modules += [alias.name for alias in node.names if alias.name in _TESTS]
    else:
        modules = [alias.name for alias in node.names]
    for name in modules:
        parts = name.split(".")
        if parts[0] == "__main__" or any(part in _TESTS or part.startswith("test_") for part in parts):
            yield Sign(name, node.lineno, False, False)


def _conditions(node: ast.AST) -> tuple[ast.AST, ...]:
    if isinstance(node, ast.comprehension):
        return (*node.ifs, node.iter)
    return (node.subject,) if isinstance(node, ast.Match) else ()


def _joins_text(node: ast.BinOp) -> bool:
    if isinstance(node.op, ast.Mod):
        return isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)
    return isinstance(node.op, ast.Add | ast.Div) and not isinstance(node.right, ast.Constant | ast.BinOp)


def _is_main(node: ast.If) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "__name__" for each in ast.walk(node.test))
