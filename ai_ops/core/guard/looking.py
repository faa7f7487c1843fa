"""A rule about reproductions: a test shows what the code does, it does not look at the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ai_ops.core.guard.bindings import Bindings, bindings, last_name
from ai_ops.core.guard.findings import Change, Finding
from ai_ops.core.guard.forging import found
from ai_ops.core.guard.reading import added_places

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
    for place in added_places(change, _python_looks, lambda text: found(_OTHER_LANGUAGES, text)):
        yield Finding("looks_at_source", place, words)


def _python_looks(module: ast.Module) -> list[int]:
    """Return the lines of a Python test that look at source."""
    names = bindings(module)
    nodes = list(ast.walk(module))
    lines = [getattr(node, "lineno", 1) for node in nodes if _reaches(node, names)]
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
