"""Rust: ``cargo test``, read from what Rust's own harness prints.

Cargo names a program's source by its package only; its messages tell which file that is. Unit tests and
tests in documentation lie in the code, so they are named by their crate and make no file one of tests.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ai_ops.core.libtest import Program, parse_libtest
from ai_ops.core.reports import MAX_MESSAGE
from ai_ops.core.runners.failures import explained, uncompiled
from ai_ops.core.runners.model import PATHS, Commands, RawRun, Text, Tree, most_used_folder
from ai_ops.flow.report import CaseOutcome, CaseResult, SuiteReport

NAME: Final = "cargo"
LANGUAGES: Final = ("rust",)
TOOLS: Final = ("cargo", "rustc")
REPORTS: Final[tuple[str, ...]] = ()
ENVIRONMENT: Final[Mapping[str, str]] = {
    "RUST_BACKTRACE": "1",
    "CARGO_NET_OFFLINE": "true",
    "CARGO_INCREMENTAL": "0",
    "CARGO_PROFILE_DEV_DEBUG": "limited",
}
SOURCES: Final = (".rs",)

_COMMAND = ("cargo", "test", "--offline", "--no-fail-fast", "--message-format=json-render-diagnostics")
_TEST_FILE = re.compile(r"(?:^|/)tests/(?:[^/]+|[^/]+/main)\.rs$")
_COMPILER = re.compile(
    r"^error(?:\[E\d{4}\])?: (?P<message>[^\n]{1,2000})\n"
    r"\s{1,12}--> (?P<file>[^\s:][^:\n]{0,1000}):(?P<line>\d{1,9}):",
    re.MULTILINE,
)
_RETURNED = re.compile(r"^Error: ([^\n]{0,2000})", re.MULTILINE)
_DOC_PLACE = re.compile(r"\A(?P<item>[^\n]{1,900}?) \(line \d{1,9}\)")
_HASH = re.compile(r"-[0-9a-f]{16}\Z")
_NO_PACKAGE = re.compile(
    r"(?:no matching package named|failed to (?:download|get|load source for))"
    r" (?:dependency )?`([\w-]{1,100})"
)


def uses(tree: Tree) -> bool:
    """Return whether there is a manifest of Cargo."""
    return any(posixpath.basename(path) == "Cargo.toml" for path in tree.paths)


def commands(tree: Tree) -> Commands:
    """Return ``cargo test``, for all packages of a workspace; from the folder of the only manifest."""
    if tree.has("Cargo.toml"):
        return Commands((*_COMMAND, "--workspace"), (*_COMMAND, PATHS))
    manifest = min(
        (p for p in tree.paths if posixpath.basename(p) == "Cargo.toml"), key=lambda p: (p.count("/"), p)
    )
    return Commands((*_COMMAND, "--workspace", "--manifest-path", manifest), (*_COMMAND, PATHS))


def collects(path: str) -> bool:
    """Return whether a file is an integration test, a program of its own."""
    return _TEST_FILE.search(path) is not None


def suggest(word: str, paths: Sequence[str]) -> str:
    """Return a path beside the existing integration tests, else in the package nearest to the root."""
    packages = sorted(
        (p for p in paths if p == "src/lib.rs" or p.endswith("/src/lib.rs")), key=lambda p: (p.count("/"), p)
    )
    otherwise = packages[0].removesuffix("src/lib.rs") + "tests" if packages else "tests"
    folder = most_used_folder([p for p in paths if not p.endswith("/main.rs")], collects, otherwise)
    return posixpath.join(folder, f"ai_ops_{word}.rs")


def select(paths: Sequence[str], _text: Text) -> tuple[str, ...]:
    """Return the programs of the first package that has any of the paths."""
    tests = [path for path in paths if collects(path)]
    if not tests:
        return ("--tests",)
    package = _package(tests[0])
    names = [_target(path) for path in tests if _package(path) == package]
    manifest = ("--manifest-path", f"{package}/Cargo.toml") if package else ()
    return (*manifest, *(word for name in names for word in ("--test", name)))


def _package(path: str) -> str:
    """Return the folder around a path's ``tests``, empty at the root."""
    return path.rpartition("/tests/")[0] if "/tests/" in path else ""


def _target(path: str) -> str:
    folder, name = posixpath.split(path)
    return posixpath.basename(folder) if name == "main.rs" else name.removesuffix(".rs")


def read(run: RawRun) -> tuple[CaseResult, ...] | None:
    """Return the results of all test programs, or the compiler's errors when it came to none."""
    programs = parse_libtest(run.output)
    if programs is None:
        return None
    if not programs:
        found = (
            (each["file"], int(each["line"]), each["message"]) for each in _COMPILER.finditer(run.output)
        )
        return (uncompiled(run, collects, found) or None) if run.exit_code else None
    sources = _sources(run)
    return tuple(result for program in programs for result in _results(run, program, sources))


def _sources(run: RawRun) -> dict[str, str]:
    """Return the source file of each program that Cargo built, by the program's file name."""
    found: dict[str, str] = {}
    for line in run.output.splitlines():
        if line.startswith('{"reason":"compiler-artifact"'):
            try:
                message = json.loads(line)
                program, source = message["executable"], message["target"]["src_path"]
            except (ValueError, LookupError, TypeError, RecursionError):
                continue
            if isinstance(program, str) and isinstance(source, str):
                found.setdefault(posixpath.basename(program), run.relative(source))
    return found


def _results(run: RawRun, program: Program, sources: Mapping[str, str]) -> Iterator[CaseResult]:
    place = _place(run, program, sources)
    seen: Counter[str] = Counter()
    for name, outcome in program.results.items():
        shown = name
        if program.documented and (doc := _DOC_PLACE.match(name)):  # lines move with every change
            seen[doc["item"]] += 1
            shown = f"{doc['item']} #{seen[doc['item']]}"
        result = CaseResult(f"{place}::{shown}", outcome)
        yield (
            _failed(run, result, "\n".join(program.said.get(name, ())))
            if outcome is CaseOutcome.FAILED
            else result
        )


def _place(run: RawRun, program: Program, sources: Mapping[str, str]) -> str:
    if program.documented:
        return f"documentation of {program.documented}"
    name = posixpath.basename(program.program)
    if program.is_unit:
        return f"{_HASH.sub('', name)} ({program.source})"
    if name in sources:
        return sources[name]
    fitting = [path for path in run.sources if f"/{path}".endswith(f"/{program.source}")]
    return fitting[0] if len(fitting) == 1 else program.source


def _failed(run: RawRun, result: CaseResult, said: str) -> CaseResult:
    found = explained(result, "", said, run.roots, "rust")
    if found.exception_type:
        return found
    returned = _RETURNED.search(said)  # a test may return its error
    kind, message = ("Error", returned[1]) if returned else ("", said.strip()[:MAX_MESSAGE])
    return CaseResult(result.id, result.outcome, kind, message)


def missing(report: SuiteReport, _paths: Sequence[str]) -> tuple[str, ...]:
    """Return the crates that are neither vendored nor fetched by ``setup``."""
    return () if report.results else tuple(sorted(set(_NO_PACKAGE.findall(report.output))))
