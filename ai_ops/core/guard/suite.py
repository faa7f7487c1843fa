"""Rules about tests: a fix may add tests, and otherwise leaves them alone.

Any change of an existing test is blocked, except that new tests are added to a file, which is a warning.
The finer rules say what exactly was weakened.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ai_ops.core.diff import FileDiff
from ai_ops.core.guard.findings import Change, Finding, Severity
from ai_ops.core.guard.reading import read_python
from ai_ops.core.guard.syntax import Tree
from ai_ops.core.guard.tests_elsewhere import only_adds, weakened

_TEST_FOLDERS = frozenset(
    {"test", "tests", "testing", "__tests__", "spec", "specs", "e2e", "__snapshots__", "cypress", "testdata"}
)
_TEST_NAME = re.compile(
    r"(?:test_.*|.*_test|.*_spec|tests?)\.[a-z]+|.*\.(?:test|spec|e2e|cy)\.[a-z]+|.*\.snap"
    r"|.*(?:Test|Tests|TestCase|IT|Spec)\.(?:java|kt|scala|groovy|cs|php|swift)|conftest\.py"
)
_SKIP = re.compile(
    r"@(?:Disabled|Ignore|EnabledIf|EnabledOn)|\[(?:Ignore|Skip)\b|\bassume(?:True|False|That|NoException|NotNull)\b"
    r"|\b(?:it|test|describe|context|suite)(?:\.\w{1,20}){0,2}\.(?:skip|only|todo|fixme|failing|fails|skipIf|runIf)\b"
    r"|\b(?:xit|xtest|xdescribe|xcontext|xspecify|fit|fdescribe)\b\s*[(.]|\b(?:t|b|f|tb|this|ctx|context)\.(?:[sS]kip|todo)"
    r"|\bmarkTest(?:Skipped|Incomplete)\b|\bignore\s*[\]=,)]|#\[(?:ignore|should_panic)|\bSkip\s*=\s*[\"']|\bAssume\."
    r"|[{,]\s*(?:skip|todo|only)\s*:|\btesting\.Short\(|^\s*//\s*(?:go:build|\+build)\b|\bpending\s*\("
)
_PYTHON_SKIP = frozenset(
    {
        "skip",
        "skipif",
        "skipIf",
        "skipUnless",
        "xfail",
        "importorskip",
        "SkipTest",
        "skipTest",
        "expectedFailure",
    }
)
_DEFINES_TEST = re.compile(
    r"^[ \t]*(?:(?:async[ \t]+)?def|class)[ \t]+_{0,2}(?:test|check|should|Test)", re.MULTILINE
)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_OF_TESTS = frozenset({"pytest", "unittest"})
_VALUES = frozenset(
    {
        "parametrize", "param", "date", "datetime", "time", "timedelta", "range", "list", "dict", "set",
        "tuple", "frozenset", "int", "float", "str", "bytes", "object",
    }
)  # fmt: skip


def is_test_path(path: str) -> bool:
    """Whether a file belongs to the tests by its name or its folder."""
    return in_test_folder(path) or _TEST_NAME.fullmatch(PurePosixPath(path).name) is not None


def in_test_folder(path: str) -> bool:
    """Whether a folder of the path is one of tests."""
    return bool(_TEST_FOLDERS.intersection(part.casefold() for part in PurePosixPath(path).parts[:-1]))


def is_test(change: Change, path: str) -> bool:
    """Whether a file belongs to the tests: by its path, or because the baseline ran tests in it.

    A module that only has doctests is named in a report too, and stays code.
    """
    if is_test_path(path):
        return True
    if path not in change.test_files:
        return False
    text = (change.text(change.base, path) or "") if path.endswith(".py") else ""
    return not (">>> " in text and _DEFINES_TEST.search(text) is None)


def not_tests(paths: Iterable[str], collected: frozenset[str]) -> tuple[str, ...]:
    """Return the added paths that are no tests: not by their name or folder, and not run as such."""
    return tuple(path for path in paths if not is_test_path(path) and path not in collected)


@dataclass(frozen=True)
class _Tests:
    """What a Python test file holds: tests with the number of their checks, and its skips.

    ``statements`` are those of the file and of its classes, and each name that is imported. ``tests`` are the
    dumps of plain test functions with their class and name, ``imports`` those of imported names with module
    and name, ``classes`` those of the heads of plain classes, ``helpers`` those of what else stands in a
    class, with their class. ``heirs`` are the classes that extend another one of the file.
    """

    checks: dict[str, int]
    skips: Counter[str]
    statements: tuple[str, ...]
    tests: dict[str, tuple[str, str]]
    heirs: frozenset[str]
    imports: dict[str, tuple[str, str]]
    classes: dict[str, str]
    helpers: dict[str, str]
    words: frozenset[str]


def _is_check(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return True
    if not isinstance(node, ast.Call):
        return False
    name = _name(node.func)
    return name.startswith("assert") or name in ("raises", "warns", "fail")


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _tests(module: ast.Module) -> _Tests:
    checks: dict[str, int] = {}
    for prefix, node in _functions(module, ""):
        if node.name.startswith("test"):
            checks[prefix + node.name] = sum(map(_is_check, ast.walk(node)))
    found = Counter(_name(node) for node in ast.walk(module))
    skips = Counter({name: found[name] for name in _PYTHON_SKIP if found[name]})
    parts = list(_parts(module, ""))
    statements = tuple(prefix + ast.dump(node) for prefix, node in parts)
    tests = {
        shown: (prefix, node.name)
        for shown, (prefix, node) in zip(statements, parts, strict=True)
        if isinstance(node, _FUNCTIONS) and _is_plain_test(node)
    }
    classes = {
        shown: f"{node.name}::"
        for shown, (prefix, node) in zip(statements, parts, strict=True)
        if isinstance(node, ast.ClassDef) and not (prefix or node.decorator_list or node.keywords)
    }
    helpers = {
        shown: prefix
        for shown, (prefix, node) in zip(statements, parts, strict=True)
        if prefix and _is_plain_helper(node)
    }
    imports = {
        shown: (node.module or "", node.names[0].asname or node.names[0].name)
        for shown, (_, node) in zip(statements, parts, strict=True)
        if isinstance(node, ast.ImportFrom) and not node.level
    }
    imports |= {
        shown: (node.names[0].name, node.names[0].name)
        for shown, (_, node) in zip(statements, parts, strict=True)
        if isinstance(node, ast.Import) and len(node.names) == 1 and not node.names[0].asname
    }
    words = frozenset(filter(None, map(_word, ast.walk(module))))
    heirs = frozenset(_heirs(parts))
    return _Tests(checks, skips, statements, tests, heirs, imports, classes, helpers, words)


def _heirs(parts: Sequence[tuple[str, ast.AST]]) -> Iterator[str]:
    """Yield the classes that extend another one of the file: their tests may hide those of that one."""
    classes = [(prefix, node) for prefix, node in parts if isinstance(node, ast.ClassDef)]
    names = {node.name for _, node in classes}
    for prefix, node in classes:
        if any(not _name(base) or _name(base) in names for base in node.bases):
            yield f"{prefix}{node.name}::"


def _parts(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield the statements of a file, and in the place of a class its head and what it holds.

    With each stands the class that it is in.
    """
    for each in node.body:
        if isinstance(each, ast.ImportFrom):
            for alias in each.names:
                one = ast.ImportFrom(each.module, [alias], each.level)
                yield prefix, one
        elif isinstance(each, ast.ClassDef):
            head = ast.ClassDef(each.name, each.bases, each.keywords, [], each.decorator_list)
            yield prefix, head
            yield from _parts(each, f"{prefix}{each.name}::")
        else:
            yield prefix, each


def _is_plain_test(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether it is a test that nothing but its values decorates, and that does nothing when it is read."""
    if not node.name.startswith("test") or not all(map(_gives_values, node.decorator_list)):
        return False
    read_at_once = (*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults))
    return all(map(_makes_a_value, (call for each in read_at_once for call in _calls(each))))


def _gives_values(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.parametrize"


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    return (each for each in ast.walk(node) if isinstance(each, ast.Call))


def _makes_a_value(call: ast.Call) -> bool:
    """Whether a call only makes a value, by its name: a class, or what is known to."""
    name = _name(call.func)
    return name[:1].isupper() or name in _VALUES


def _is_plain_helper(node: ast.AST) -> bool:
    if isinstance(node, _FUNCTIONS):
        return not node.decorator_list and not node.name.startswith("test")
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _word(node: ast.AST) -> str:
    """Return the name that a node reads, binds or asks for."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name
    return node.arg if isinstance(node, ast.arg) else _name(node)


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _FUNCTIONS):
            yield prefix, child
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}::")


def _only_adds(before: _Tests, after: _Tests) -> bool:
    """Whether the file only gained new plain test functions, and none that hides another.

    They may stand in a class of their own. With them names may be imported that the file did not know, from
    modules that it imports from already, and the libraries of tests.
    """
    known = set(before.statements)
    new = [each for each in after.statements if each not in known]
    kept = tuple(each for each in after.statements if each in known)
    tests = [after.tests[each] for each in new if each in after.tests]
    modules = {module for module, _ in before.imports.values()} | _OF_TESTS
    imported = [after.imports[each] for each in new if each in after.imports]
    classes = {after.classes[each] for each in new if each in after.classes}
    fresh = {place for place in classes if place.removesuffix("::") not in before.words}
    beside = [each for each in new if after.classes.get(each) in fresh or after.helpers.get(each) in fresh]
    old_names = {name.rpartition("::")[2] for name in before.checks}
    return (
        kept == before.statements
        and bool(tests)
        and len(tests) + len(imported) + len(beside) == len(new)
        and not any(prefix in after.heirs and name in old_names for prefix, name in tests)
        and len(after.checks) == len(before.checks) + len(tests)
        and all(
            module in modules and name not in before.words and not name.startswith("test")
            for module, name in imported
        )
    )


def existing_tests(change: Change) -> Iterator[Finding]:
    """Find tests that were there and are deleted or changed."""
    for file in change.files:
        if file.is_new or file.path in change.reproduction or not is_test(change, file.path):
            continue
        if file.is_deleted:
            yield Finding("test_deleted", file.path, "a file of the tests is deleted")
            continue
        before = after = None
        if file.path.endswith(".py") and not file.is_binary:
            before = read_python(change.text(change.base, file.path), _tests, None)
            after = read_python(change.text(change.after, file.path), _tests, None)
        if before and after and _only_adds(before, after):
            text = "new tests are added to an existing file"
            yield Finding("existing_test_extended", file.path, text, Severity.WARNING)
            continue
        old, new = _trees(change, file)
        if old and new and only_adds(old, new):
            text = "new tests are added to an existing file"
            yield Finding("existing_test_extended", file.path, text, Severity.WARNING)
            continue
        yield Finding("existing_test_changed", file.path, "a repair does not change existing tests")
        if old and new:
            yield from weakened(file.path, old, new)
        if before and after:
            yield from _weakened(file.path, before, after)


def _trees(change: Change, file: FileDiff) -> tuple[Tree | None, Tree | None]:
    """Return a file of another language before and after; none that its grammar does not understand."""
    if file.path.endswith(".py") or file.is_binary:
        return None, None
    before, after = (
        change.tree(file.path, change.text(reader, file.path)) for reader in (change.base, change.after)
    )
    whole = before and after and before.is_whole and after.is_whole
    return (before, after) if whole else (None, None)


def _weakened(path: str, before: _Tests, after: _Tests) -> Iterator[Finding]:
    for test, checks in before.checks.items():
        if test not in after.checks:
            yield Finding("test_deleted", f"{path}::{test}", "the test is removed or renamed")
        elif after.checks[test] < checks:
            text = f"it had {checks} checks and has {after.checks[test]}"
            yield Finding("assertion_removed", f"{path}::{test}", text)


def skipped(change: Change) -> Iterator[Finding]:
    """Find tests that are kept from running, in existing files and by ``only`` in new ones."""
    for file in change.files:
        if file.is_deleted or file.is_binary or not is_test(change, file.path):
            continue
        if file.path.endswith(".py"):
            yield from _skipped_python(change, file)
            continue
        for number, text in file.added_lines:
            if _SKIP.search(text[:2000]):
                yield Finding("test_skipped", f"{file.path}:{number}", "a test is kept from running")


def _skipped_python(change: Change, file: FileDiff) -> Iterator[Finding]:
    before = read_python(change.text(change.base, file.path), _tests, None)
    after = read_python(change.text(change.after, file.path), _tests, None)
    if before and after:
        for name in after.skips - before.skips:
            yield Finding("test_skipped", file.path, f"{name} is added")


def reproduction(change: Change) -> Iterator[Finding]:
    """Find changes of the reproduction, which is the evidence."""
    for path, proved in change.reproduction.items():
        if change.after(path) != proved:
            yield Finding("reproduction_changed", path, "the fix changes or removes the reproduction")


def only_new_files(change: Change) -> Iterator[Finding]:
    """Find anything that a reproduction changes instead of adding."""
    for file in change.files:
        if not file.is_new:
            yield Finding("not_a_new_file", file.path, "a reproduction only adds files")


def only_tests(change: Change) -> Iterator[Finding]:
    """Find files of a reproduction that are no tests, once the report says which were run."""
    if change.collected is not None:
        for path in not_tests((file.path for file in change.files), change.collected):
            yield Finding("not_a_test", path, "a reproduction only adds tests and what lies beside them")
