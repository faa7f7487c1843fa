"""Ways of Python to lose an error without any ``except``: context managers, futures, threads, hooks."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ai_ops.core.guard.bindings import Bindings, last_name

_EXITS = frozenset({"__exit__", "__aexit__"})
_SUPPRESSORS = frozenset({"suppress", "ignored", "suppress_errors", "assertRaises", "assertRaisesRegex"})
_HOOKS = frozenset({"excepthook", "unraisablehook", "set_exception_handler"})
_FORGETTING = frozenset(
    {"discard", "remove", "pop", "release", "set"}
)  # callbacks that only let go of a task
_THREADS = frozenset({"Thread", "Process", "Timer", "start_new_thread"})
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Quiet:
    """Something by which an error is not raised: what, its line, and whether it may be raised after all."""

    what: str
    line: int
    raised_later: bool = False


def suppresses(node: ast.expr, names: Bindings) -> bool:
    """Whether a call of ``node``, or a class made from it, drops errors by its very name."""
    return names.origin(node).split(".")[-1] in _SUPPRESSORS or last_name(node) in _SUPPRESSORS


def quiet(module: ast.Module, names: Bindings) -> Iterator[Quiet]:
    """Yield everything in a module that drops errors in other ways than ``except``."""
    on_stacks = any(_is_stack(node, names) for node in ast.walk(module))
    bodies = [module.body, *(node.body for node in ast.walk(module) if isinstance(node, _SCOPES))]
    for body in bodies:
        nodes = tuple(_within(body))
        scope = _Scope(nodes)
        for node in nodes:
            yield from _binds_exit(node)
            if isinstance(node, ast.Call):
                yield from _call(node, names, on_stacks=on_stacks)
                yield from _result(node, names, scope)


class _Scope:
    """What one function does with its calls: raises them, names them, drops them."""

    def __init__(self, nodes: Sequence[ast.AST]) -> None:
        raised = [node.exc for node in nodes if isinstance(node, ast.Raise) and node.exc]
        self.raised = {id(node) for node in raised}
        self.raised_names = {last_name(node) for node in raised} - {""}
        self.called = {last_name(node.func) for node in nodes if isinstance(node, ast.Call)}
        self.dropped = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        self.names: dict[int, set[str]] = {}
        for node in nodes:
            if isinstance(node, ast.Assign):
                self.names.setdefault(id(node.value), set()).update(map(last_name, node.targets))
            elif isinstance(node, ast.NamedExpr):
                self.names.setdefault(id(node.value), set()).add(node.target.id)

    def raises(self, node: ast.Call) -> bool:
        """Whether the value of a call is raised somewhere, itself or under its name."""
        return id(node) in self.raised or not self.names.get(id(node), set()).isdisjoint(self.raised_names)


def _within(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """Yield the nodes of a body with those of its lambdas, without functions and classes defined in it."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _SCOPES):
            waiting.extend(ast.iter_child_nodes(node))
        else:
            waiting.extend(node.decorator_list)


def _is_stack(node: ast.AST, names: Bindings) -> bool:
    if isinstance(node, ast.ImportFrom):
        return any(alias.name.endswith("ExitStack") for alias in node.names)
    return isinstance(node, ast.Name | ast.Attribute) and names.origin(node).endswith("ExitStack")


def _binds_exit(node: ast.AST) -> Iterator[Quiet]:
    """Yield ``__exit__`` bound in another way than by ``def``, which is read elsewhere."""
    bound = (
        (isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store) and last_name(node))
        or (isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value)
        or (isinstance(node, ast.keyword) and node.arg)
        or (isinstance(node, ast.alias) and node.asname)
    )
    if bound in _EXITS:
        yield Quiet(f"what {bound} is bound to", getattr(node, "lineno", 1))
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        if node.attr in _HOOKS:
            yield Quiet(f"what reaches {node.attr}", node.lineno)
        inner = node.value
        if isinstance(inner, ast.Attribute) and inner.attr in _EXITS:
            yield Quiet(f"what {inner.attr} is given", node.lineno)


def _call(node: ast.Call, names: Bindings, *, on_stacks: bool) -> Iterator[Quiet]:
    """Yield calls that drop errors from there on."""
    called = last_name(node.func)
    if suppresses(node.func, names):
        for argument in node.args:
            yield Quiet(ast.unparse(argument), node.lineno)
    is_method = isinstance(node.func, ast.Attribute)
    judges = any(isinstance(each, ast.Lambda) and _takes_error(each) for each in node.args)
    if is_method and (called == "push_async_exit" or (called == "push" and (on_stacks or judges))):
        yield Quiet("what an exit callback says yes to", node.lineno)
    if called in _HOOKS:
        yield Quiet(f"what reaches {called}", node.lineno)
    if is_method and called == "add_done_callback" and last_name(_first(node)) not in _FORGETTING:
        yield Quiet("an error in a callback of a future", node.lineno)


def _takes_error(node: ast.Lambda) -> bool:
    return node.args.vararg is not None or len(node.args.args) >= 3


def _first(node: ast.Call) -> ast.expr:
    return node.args[0] if node.args else node


def _result(node: ast.Call, names: Bindings, scope: _Scope) -> Iterator[Quiet]:
    """Yield calls that hand an error over as a value, or leave it in another thread."""
    name = last_name(node.func)
    if _asks_future(node, names):
        yield Quiet("what a future's exception() returns", node.lineno, scope.raises(node))
    for keyword in node.keywords:
        off = isinstance(keyword.value, ast.Constant) and not keyword.value.value
        if keyword.arg == "return_exceptions" and not off:
            later = "cancel" in scope.called or bool(scope.raised_names)
            yield Quiet("what return_exceptions returns", node.lineno, later)
    if name == "submit" and id(node) in scope.dropped and isinstance(node.func, ast.Attribute):
        yield Quiet("an error of a job whose result nobody asks for", node.lineno, raised_later=True)
    if name in _THREADS:
        yield Quiet("an error in another thread", node.lineno, raised_later="join" not in scope.called)


def _asks_future(node: ast.Call, names: Bindings) -> bool:
    """Whether it is ``future.exception()``; a logger's takes a message."""
    if last_name(node.func) != "exception" or not isinstance(node.func, ast.Attribute):
        return False
    if names.origin(node.func) == "sys.exception":
        return False
    timeout = [keyword for keyword in node.keywords if keyword.arg == "timeout"]
    number = all(isinstance(each, ast.Constant) and not isinstance(each.value, str) for each in node.args)
    return number and len(timeout) == len(node.keywords)
