"""What the names of a Python module stand for, so that renaming a thing does not hide it from a rule."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from dataclasses import dataclass, field

_DEPTH = 8  # how many renamings are followed
UNKNOWN = "?"  # leads a type that cannot be read from the code
_OWN = "<own>."  # leads a class of the module that is named like a built-in one
_CONTAINERS = frozenset(
    {"dict", "list", "set", "tuple", "str", "int", "float", "bool", "bytes", "frozenset", "Decimal"}
)


def last_name(node: ast.AST) -> str:
    """Return the name, or the last part of a dotted one; empty for any other expression."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def built_in_exception(name: str) -> type[BaseException] | None:
    """Return the built-in exception class of a name, with or without ``builtins.``."""
    found = getattr(builtins, name.removeprefix("builtins."), None)
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


@dataclass
class Bindings:
    """Imports, assignments and classes anywhere in a module. ``values`` keeps every value of a name."""

    imports: dict[str, str] = field(default_factory=dict)
    values: dict[str, list[ast.expr]] = field(default_factory=dict)
    classes: set[str] = field(default_factory=set)
    constants: set[str] = field(default_factory=set)

    def read(self, node: ast.AST) -> None:
        """Take in what one node binds."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                self.imports[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                origin = f"{node.module}.{alias.name}" if node.module else alias.name
                self.imports[alias.asname or alias.name] = origin
        elif isinstance(node, ast.ClassDef):
            self.classes.add(node.name)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self._bind(target, node.value)
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            self._bind(node.target, node.value)

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            several = value.elts if isinstance(value, ast.Tuple | ast.List) else []
            for index, each in enumerate(target.elts):
                self._bind(each, several[index] if len(several) == len(target.elts) else value)
        elif name := last_name(target):
            if isinstance(target, ast.Name):
                self.values.setdefault(name, []).append(value)
            if self.is_constant(value):
                self.constants.add(name)

    def is_constant(self, node: ast.expr | None) -> bool:
        """Whether a value says nothing about an error: a literal, made of literals, or a name for one."""
        if node is None or isinstance(node, ast.Constant):
            return True
        if isinstance(node, ast.Name | ast.Attribute):
            return last_name(node) in self.constants
        if isinstance(node, ast.Call):
            plain = last_name(node.func) in _CONTAINERS and not node.keywords
            return plain and all(map(self.is_constant, node.args))
        if isinstance(node, ast.Dict):
            return all(map(self.is_constant, (*node.keys, *node.values)))
        parts = _PARTS.get(type(node))
        return parts is not None and all(map(self.is_constant, parts(node)))

    def origin(self, node: ast.expr, depth: int = _DEPTH) -> str:
        """Return a name as its origin knows it: ``contextlib.suppress``; empty for other expressions."""
        if isinstance(node, ast.Attribute):
            before = self.origin(node.value, depth)
            return f"{before}.{node.attr}" if before else ""
        if not isinstance(node, ast.Name):
            return ""
        values = self.values.get(node.id, [])
        if node.id in self.imports:
            return self.imports[node.id]
        plain = len(values) == 1 and isinstance(values[0], ast.Name | ast.Attribute)
        return self.origin(values[0], depth - 1) if plain and depth else node.id

    def types(self, node: ast.expr | None, depth: int = _DEPTH) -> frozenset[str]:
        """Return the types an ``except`` names: empty for a bare one, ``?`` before what is unknown."""
        if node is None:
            return frozenset({""})
        if isinstance(node, ast.Tuple):
            return frozenset().union(*(self.types(each, depth) for each in node.elts))
        if isinstance(node, ast.Name) and depth:
            if values := self.values.get(node.id):
                return frozenset().union(*(self.types(value, depth - 1) for value in values))
            if node.id in self.classes:
                return frozenset({_OWN + node.id if built_in_exception(node.id) else node.id})
            if node.id in self.imports or built_in_exception(node.id):
                return frozenset({self.origin(node).removeprefix("builtins.")})
        known = self.origin(node)
        if isinstance(node, ast.Attribute) and known.split(".")[0] in {
            origin.split(".")[0] for origin in self.imports.values()
        }:
            return frozenset({known.removeprefix("builtins.")})
        return frozenset({UNKNOWN + ast.unparse(node)})


_PARTS: dict[type[ast.expr], Callable[..., list[ast.expr]]] = {
    ast.UnaryOp: lambda node: [node.operand],
    ast.BinOp: lambda node: [node.left, node.right],
    ast.BoolOp: lambda node: node.values,
    ast.IfExp: lambda node: [node.body, node.orelse],
    ast.Tuple: lambda node: node.elts,
    ast.List: lambda node: node.elts,
    ast.Set: lambda node: node.elts,
    ast.JoinedStr: lambda node: node.values,
    ast.FormattedValue: lambda node: [node.value],
    ast.Await: lambda node: [node.value],
}


def bindings(module: ast.AST) -> Bindings:
    """Read a module's names."""
    found = Bindings()
    for node in ast.walk(module):
        found.read(node)
    return found
