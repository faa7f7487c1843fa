"""A rule about reproductions: they call the code, and may not ask which names it has.

A test that gives other data once a name exists proves nothing: the fix has only to set that name.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ai_ops.core.guard.bindings import UNKNOWN, Bindings, bindings, last_name
from ai_ops.core.guard.findings import Change, Finding
from ai_ops.core.guard.forging import found
from ai_ops.core.guard.reading import added_places

_CALLS = frozenset(
    {
        "hasattr", "vars", "dir", "globals", "locals", "getattr_static", "getmembers", "attrgetter",
        "import_module", "__import__", "find_spec", "iter_modules", "walk_packages", "signature",
        "getfullargspec", "getdoc", "get_type_hints", "importorskip",
    }
)  # fmt: skip
_ATTRIBUTES = frozenset(
    {
        "__dict__", "__doc__", "__all__", "__version__", "__annotations__", "__defaults__", "__kwdefaults__",
        "__slots__", "__wrapped__", "__closure__", "__globals__", "__getattribute__", "__mro__", "__bases__",
        "__subclasses__", "__signature__",
    }
)  # fmt: skip
_MODULES = frozenset({"importlib", "pkgutil", "pydoc", "imp"})
_MISSING = frozenset(
    {
        "", "AttributeError", "ImportError", "ModuleNotFoundError", "NameError", "Exception", "BaseException",
    }
)  # fmt: skip
_OTHER_LANGUAGES = re.compile(
    r"[\"'][\w$]+[\"']\s+in\s+[\w$]|\btypeof\b|\bhasOwn(?:Property)?\b|\bReflect\.|\bObject\.(?:keys|entries|getOwn)"
    r"|\bgetDeclared|\bClass\.forName|\bget(?:Field|Method|Property)s?\(|\breflect\.|\brespond_to\?|\bdefined\?"
    r"|\b(?:const|method|instance_variable)(?:_defined\?|s\b)|\b(?:method|class|property|function)_exists\b|\bdefined\("
    r"|\bconstant\(|\bNoMethodError\b|\bNameError\b|\bNoSuch(?:Field|Method)|\bReferenceError\b"
)


def probes_code(change: Change) -> Iterator[Finding]:
    """Find a reproduction that asks what the code under test has, in place of calling it."""
    words = "the test asks which names the code has, so a fix could pass it by setting one"
    for place in added_places(change, _python_probes, lambda text: found(_OTHER_LANGUAGES, text)):
        yield Finding("probes_code", place, words)


def _python_probes(module: ast.Module) -> list[int]:
    """Return the lines of a Python test that ask for names."""
    names = bindings(module)
    return sorted(getattr(node, "lineno", 1) for node in ast.walk(module) if _asks(node, names))


def _asks(node: ast.AST, names: Bindings) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom):
        roots = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        return any(root.split(".")[0] in _MODULES for root in roots)
    if isinstance(node, ast.ExceptHandler):
        types = names.types(node.type)
        unknown = any(each.startswith(UNKNOWN) for each in types)
        return (unknown or not types.isdisjoint(_MISSING)) and not _raises(node)
    if isinstance(node, ast.Call):
        called = names.origin(node.func).split(".")[-1] or last_name(node.func)
        hides = called == "suppress" and any(names.types(each) & _MISSING for each in node.args)
        return hides or (called == "getattr" and not _plain_getattr(node))
    if isinstance(node, ast.Attribute) and node.attr in _ATTRIBUTES:
        return True
    return isinstance(node, ast.Name | ast.Attribute) and (
        (names.origin(node).split(".")[-1] or last_name(node)) in _CALLS
        or names.origin(node) == "sys.modules"
    )


def _raises(node: ast.ExceptHandler) -> bool:
    return isinstance(node.body[-1], ast.Raise)


def _plain_getattr(node: ast.Call) -> bool:
    """Whether it is an attribute in other words, that has to be there."""
    return len(node.args) == 2 and not node.keywords
