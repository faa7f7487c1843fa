"""Go: ``go test -json``, whose events name package and test; the file is found by the test's function.

A test that began and never ended is an error: its program ended early, whatever it ended with.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ai_ops.core.reports import MAX_MESSAGE
from ai_ops.core.runners.failures import explained, uncompiled
from ai_ops.core.runners.model import PATHS, REPORT_FOLDER, Commands, RawRun, Text, Tree, most_used_folder
from ai_ops.flow.report import CaseOutcome, CaseResult, SuiteReport

NAME: Final = "go"
LANGUAGES: Final = ("go",)
TOOLS: Final = ("go",)
REPORTS: Final[tuple[str, ...]] = ()
# The cache of a build is large and /tmp is memory. The checkout's .git is not asked for a version.
ENVIRONMENT: Final[Mapping[str, str]] = {
    "GOPROXY": "off",
    "GOFLAGS": "-buildvcs=false",
    "GOCACHE": f"{REPORT_FOLDER}/go-build",
    "GOTRACEBACK": "single",
}
SOURCES: Final = ("_test.go", "go.mod")

_COMMAND = ("go", "test", "-json", "-count=1")
_MODULE = re.compile(r"^module\s+\"?([^\s\"]{1,500})", re.MULTILINE)
_FUNCTION = re.compile(r"^func ((?:Test|Example|Fuzz)\w{0,200})\(", re.MULTILINE)
_COMPILER = re.compile(
    r"^(?:vet: )?(?P<file>[^\s:{][^:\n]{0,1000}\.go):(?P<line>\d{1,9}):\d{1,9}: (?P<message>[^\n]{1,2000})$",
    re.MULTILINE,
)
_NO_MODULE = re.compile(
    r"(?:no required module provides package|cannot find module providing package"
    r"|cannot find package) \"?([\w./~-]{1,300})|([\w./~-]{1,300})@v[\w.+-]{1,100}: module lookup disabled"
)
_DEEPEST = 16
_OUTCOMES = {"pass": CaseOutcome.PASSED, "fail": CaseOutcome.FAILED, "skip": CaseOutcome.SKIPPED}


def uses(tree: Tree) -> bool:
    """Return whether the repository is a module of Go, or a workspace of some."""
    return tree.has("go.mod") or tree.has("go.work")


def commands(_tree: Tree) -> Commands:
    """Return ``go test`` for every package."""
    return Commands((*_COMMAND, "./..."), (*_COMMAND, PATHS))


def collects(path: str) -> bool:
    """Return whether a file is one of tests."""
    return path.endswith("_test.go")


def suggest(word: str, paths: Sequence[str]) -> str:
    """Return a path beside the existing tests."""
    return posixpath.join(most_used_folder(paths, collects, ""), f"ai_ops_{word}_test.go")


def select(paths: Sequence[str], text: Text) -> tuple[str, ...]:
    """Return the names of the tests in the files, and the packages that these are in."""
    tests = [path for path in paths if collects(path)]
    names = dict.fromkeys(name for path in tests for name in _FUNCTION.findall(text(path)))
    packages = dict.fromkeys(f"./{posixpath.dirname(path)}" for path in tests)
    chosen = ("-run", f"^({'|'.join(names)})$") if names else ()
    return (*chosen, *packages)


@dataclass(slots=True)
class _Test:
    """One test of a package: what it came to, empty as long as it runs, and what it printed."""

    outcome: str = ""
    said: list[str] = field(default_factory=list)


def read(run: RawRun) -> tuple[CaseResult, ...] | None:
    """Return the results of all packages, and the compiler's errors; None when a package did not end."""
    tests: dict[tuple[str, str], _Test] = {}
    packages: dict[str, str] = {}
    printed = []
    for line in run.output.splitlines():
        event = _event(line)
        if event is None:
            printed.append(line)
        elif event.get("Test"):
            _note(tests.setdefault((str(event.get("Package")), str(event["Test"])), _Test()), event)
        elif event.get("Action") in ("start", "pass", "fail", "skip"):
            package, action = str(event.get("Package")), str(event["Action"])
            if packages.get(package, "start") != "start":
                return None  # a second end of one package
            packages[package] = action
        else:
            printed.append(str(event.get("Output", "")).rstrip("\n"))
    if not packages or "start" in packages.values():
        return None
    found = _COMPILER.finditer("\n".join(printed)) if run.exit_code else ()
    errors = uncompiled(run, collects, ((e["file"], int(e["line"]), e["message"]) for e in found))
    return (*_results(run, tests), *errors)


def _event(line: str) -> dict[str, Any] | None:
    if not line.startswith('{"'):
        return None
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and "Action" in event else None


def _note(test: _Test, event: Mapping[str, Any]) -> None:
    action = str(event["Action"])
    if action == "output":
        test.said.append(str(event.get("Output", "")))
    elif action in _OUTCOMES:
        test.outcome = "fail" if test.outcome else action  # an end that comes twice is none to trust


def _results(run: RawRun, tests: Mapping[tuple[str, str], _Test]) -> Iterator[CaseResult]:
    files = _Files(run)
    groups = {above for key in tests for above in _above(key)}
    failing = {above for key, test in tests.items() if test.outcome == "fail" for above in _above(key)}
    for (package, name), test in tests.items():
        if (package, name) in groups and (test.outcome != "fail" or (package, name) in failing):
            continue  # it only groups others
        outcome = _OUTCOMES.get(test.outcome, CaseOutcome.ERROR)
        result = CaseResult(f"{files.of(package, name)}::{name}", outcome)
        if outcome in (CaseOutcome.FAILED, CaseOutcome.ERROR):
            said = "".join(test.said)
            told = [line.strip() for line in test.said if not line.startswith(("=== ", "--- "))]
            message = " ".join(filter(None, told)) or "the test began and did not end"
            result = CaseResult(result.id, outcome, message=message[:MAX_MESSAGE])
            result = explained(result, "", said, run.roots, "go")
        yield result


def _above(key: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the tests that a subtest lies in; one of more than so many is none of a person's."""
    package, name = key
    parts = name.split("/", _DEEPEST)
    for length in range(1, min(len(parts), _DEEPEST)):
        yield package, "/".join(parts[:length])


class _Files:
    """Finds the file of a test by its package and its function."""

    def __init__(self, run: RawRun) -> None:
        self._modules: dict[str, str] = {}
        self._by_test: dict[tuple[str, str], str] = {}
        for path in run.sources:
            folder = posixpath.dirname(path)
            if posixpath.basename(path) == "go.mod":
                if found := _MODULE.search(run.text(path)):
                    self._modules[found[1]] = folder
            elif path.endswith("_test.go"):
                for name in _FUNCTION.findall(run.text(path)):
                    self._by_test[folder, name] = path

    def of(self, package: str, test: str) -> str:
        """Return the path of the file, or the package's name when the function is in none."""
        fitting = [each for each in self._modules if f"{package}/".startswith(f"{each}/")]
        if not fitting:
            return f"package {package}"
        module = max(fitting, key=len)
        folder = posixpath.join(self._modules[module], package[len(module) + 1 :]).rstrip("/")
        return self._by_test.get((folder, test.partition("/")[0]), f"package {package}")


def missing(report: SuiteReport, _paths: Sequence[str]) -> tuple[str, ...]:
    """Return the packages that are neither vendored nor fetched by ``setup``."""
    if any(case.outcome is not CaseOutcome.ERROR for case in report.results or ()):
        return ()
    texts = [report.output, *(case.message for case in report.results or ())]
    found = {one or other for text in texts for one, other in _NO_MODULE.findall(text)}
    return tuple(sorted(found))
