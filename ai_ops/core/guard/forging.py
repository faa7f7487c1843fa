"""Rules about code that plays to the test run: notices it, writes its report, or reads the source instead."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

from ai_ops.core.diff import FileDiff
from ai_ops.core.guard.bindings import Bindings, bindings, last_name
from ai_ops.core.guard.findings import Change, Finding
from ai_ops.core.guard.suite import is_test

_PROSE = (".md", ".rst", ".adoc")
_CODE = (
    ".py", ".pyi", ".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".java", ".kt", ".kts", ".scala", ".groovy",
    ".go", ".rb", ".php", ".cs", ".rs", ".swift", ".dart", ".sh", ".c", ".cc", ".cpp",
)  # fmt: skip
_WINDOW, _OVERLAP = 2000, 200  # patterns look this far, so that a long line costs no more than its length

_FORGES = re.compile(
    # the end of the process, unreported
    r"(?<!def )(?<!self\.)(?<!cls\.)\b_exit\b|\b(?:os|posix)\s*\.\s*(?:abort|exec[lv]p?e?)\b"
    r"|\bfrom\s+(?:os|posix)\s+import\b.{0,200}\b(?:abort|exec[lv]p?e?)\b|getRuntime\(\)\.halt"
    # where the report is written, and what writes it
    r"|(?:(?<![\w.})\]:/-])/+|\.\./+)(?:report|opt/toolbox)\b(?!-)"
    r"|(?:\bPath\(|\bjoin\()\s*[\"']/[\"']|\bAI_OPS_"
    r"|^(?!\s*(?:import|package)\s+(?:static\s+)?(?:org\.)?junit\.).{0,2000}?(?<!org\.)junit"
    # the test tool's own insides
    r"|\bpytest_(?:plugins|runtest|collect|session|pyfunc|configure|unconfigure|terminal|report|exception|warning)"
    r"|\bhookimpl\b|\bhookwrapper\b|pluginmanager|\bgc\s*\.\s*get_(?:objects|referrers)\b"
    r"|\b_pytest\b(?!\.(?:monkeypatch|logging|capture|tmpdir|recwarn|fixtures)\b)"
    # code from text, which no rule can read
    r"|(?<![\w.])(?<!def )(?<!func )(?<!function )(?:exec|eval)\s*\("
)
_DETECTS = re.compile(
    r"(?:(?<![\w.})\]:/-])/+|\.\./+)workspace\b(?!-)|\bPYTEST_|JEST_WORKER_ID"
    r"|sys\.modules.{0,80}(?:pytest|unittest)|(?:pytest|unittest).{0,80}sys\.modules"
)
_NAMES_TEST_TOOL = re.compile(
    r"^\s*(?:import|from)\s+_?pytest\b|[\"'][^\"']{0,80}(?:pytest|unittest)[^\"']{0,80}[\"']"
)
# What only looks like a path: a route of a web application, client.get("/report"), and a module next door.
_HARMLESS = re.compile(
    r"\.(?:get|post|put|patch|delete|route)\(\s*[\"']/report[\w/-]{0,80}[\"']"
    r"|\b(?:from|import|require)\b\s{0,9}\(?\s{0,9}[\"']\.[./\w-]{0,120}[\"']"
)
_AT_EXIT, _REPORT = re.compile(r"\batexit\b"), re.compile(r"report|\.xml")


def _found(pattern: re.Pattern[str], text: str) -> bool:
    starts = range(0, max(len(text), 1), _WINDOW - _OVERLAP)
    return any(pattern.search(text[start : start + _WINDOW]) for start in starts)


def _added(file: FileDiff) -> list[tuple[int, str]]:
    """Return added lines with their numbers, without those that only moved."""
    removed = {text.strip() for _, text in file.removed_lines}
    return [(number, text) for number, text in file.added_lines if text.strip() not in removed]


def detects_tests(change: Change) -> Iterator[Finding]:
    """Find code that behaves otherwise when it is tested, ends the run, or forges its report.

    New tests of a fix are looked at as well, because code can import from them.
    """
    for file in change.files:
        if file.path in change.reproduction or file.path.endswith(_PROSE):
            continue
        yield from _forges(file)
        tools = file.path.endswith((".py", ".pyi")) and not is_test(change, file.path)
        for number, text in _added(file):
            if _found(_DETECTS, text) or (tools and _found(_NAMES_TEST_TOOL, text)):
                yield Finding("detects_tests", f"{file.path}:{number}", "the code looks at being tested")


def forges_report(change: Change) -> Iterator[Finding]:
    """Find a reproduction that ends the run or writes its report itself."""
    for file in change.files:
        if file.path.endswith(_CODE):
            yield from _forges(file)


def _forges(file: FileDiff) -> Iterator[Finding]:
    lines = _added(file)
    for number, text in lines:
        if _found(_FORGES, _HARMLESS.sub("", text)):
            words = "the code reaches for the test run: its end, its report, or its tools"
            yield Finding("detects_tests", f"{file.path}:{number}", words)
    at_exit = [number for number, text in lines if _found(_AT_EXIT, text)]
    if at_exit and any(_found(_REPORT, text) for _, text in lines):
        words = "something is done to a report when the run ends"
        yield Finding("detects_tests", f"{file.path}:{at_exit[0]}", words)


_SOURCE_TOOLS = frozenset(
    {
        "getsource", "getsourcelines", "getsourcefile", "getfile", "findsource", "getcomments", "get_source",
        "get_code", "linecache", "__code__", "co_code", "create_subprocess_exec", "create_subprocess_shell",
    }
)  # fmt: skip
_PROGRAMS = re.compile(
    r"(?:subprocess\.(?!CalledProcessError|TimeoutExpired|SubprocessError|CompletedProcess|PIPE|DEVNULL|STDOUT)"
    r"|(?:os|posix|nt)\.(?:system|popen|exec|spawn|posix_spawn|fork)|pty\.|pexpect\b|plumbum\b|sh\.|dis\b"
    r"|git\b|pygit2\b|dulwich\b)"
)
_READS = frozenset(
    {
        "open", "open_code", "read_text", "read_bytes", "Path", "PurePath", "PosixPath", "get_data",
        "getsize", "getmtime", "stat", "FileInput", "getline", "getlines", "joinpath", "parse_file", "read",
    }
)  # fmt: skip
_WHERE = frozenset({"__file__", "__cached__", "__spec__", "__loader__", "__path__"})
_PYTHON_FILE = re.compile(r"\.pyc?(?![\w.])|__pycache__")
_GIT_FOLDER = re.compile(r"(?:^|[/\\])\.git(?:$|[/\\])")
_OTHER_LANGUAGES = re.compile(
    r"\bchild_process\b|\bProcessBuilder\b|getRuntime\(\)\.exec|[\"']os/exec[\"']|\bProcess\.Start\b"
    r"|(?:^|[\"'`/\s])\.git(?![\w.-])|\breadFile(?:Sync)?\s*\(.{0,200}\.[cm]?[jt]sx?\b"
)


def looks_at_source(change: Change) -> Iterator[Finding]:
    """Find a reproduction that looks at the code, or runs programs that could, not at what it does."""
    words = "the test looks at the source or starts a program, where it has to show what the code does"
    for file in change.files:
        if not file.path.endswith(_CODE) or file.is_deleted:
            continue
        if file.path.endswith((".py", ".pyi")):
            lines = _python_looks("\n".join(text for _, text in file.added_lines))
        else:
            lines = [number for number, text in file.added_lines if _found(_OTHER_LANGUAGES, text)]
        for line in dict.fromkeys(lines):
            yield Finding("looks_at_source", f"{file.path}:{line}", words)


def _python_looks(source: str) -> list[int]:
    """Return the lines of a Python test that look at source; none when it cannot be parsed, nor run."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = ast.parse(source)
            names = bindings(module)
            nodes = list(ast.walk(module))
            lines = [getattr(node, "lineno", 1) for node in nodes if _reaches(node, names)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    remarks = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    texts = [
        (node.value, node.lineno)
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in remarks
    ]
    lines += [line for text, line in texts if _GIT_FOLDER.search(text)]
    if any(isinstance(node, ast.Call) and _called(node, names) in _READS for node in nodes):
        lines += [line for text, line in texts if _PYTHON_FILE.search(text)]
    return sorted(lines)


def _called(node: ast.Call, names: Bindings) -> str:
    return names.origin(node.func).split(".")[-1] or last_name(node.func)


def _reaches(node: ast.AST, names: Bindings) -> bool:
    """Whether a node is one of the means: a name, what it stands for, or where a module lies."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        origin = f"{node.module}." if isinstance(node, ast.ImportFrom) and node.module else ""
        origins = [origin + alias.name for alias in node.names]
    elif isinstance(node, ast.Name | ast.Attribute):
        origins = [names.origin(node) or last_name(node)]
        if isinstance(node, ast.Attribute) and node.attr in _WHERE:
            return True
    else:
        return False
    return any(
        _PROGRAMS.match(each) is not None or not _SOURCE_TOOLS.isdisjoint(each.split(".")) for each in origins
    )
