"""What the runners of JavaScript and TypeScript share: their tests' names, and what is missing for them."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Sequence
from typing import Any

from ai_ops.core.reports import MAX_MESSAGE
from ai_ops.core.runners.failures import explained
from ai_ops.core.runners.model import RawRun, Tree, most_used_folder
from ai_ops.flow.report import CaseOutcome, CaseResult, SuiteReport

LANGUAGES = ("javascript", "typescript")
TEST_FILE = re.compile(r"\.(?:test|spec)\.[cm]?[jt]sx?$|(?:^|/)__tests__/.+\.[cm]?[jt]sx?$")
ENDINGS = r"\.[cm]?[jt]sx?$"

_NO_PACKAGE = re.compile(r"Cannot find (?:package|module) '((?![./]|[a-z]+:)[^'\n]{1,200})'")
_NOT_RESOLVED = re.compile(r"Failed to (?:resolve import|load url) \"?((?![./])[^\"\s]{1,200})\"?")
_NO_COMMAND = re.compile(
    r"(?:exec: |execvp |: )(jest|vitest|mocha|tsx|ts-node|node|npm): (?:not found|No such)"
)


def package(tree: Tree) -> dict[str, Any]:
    """Return ``package.json``; empty when there is none, or none that can be read."""
    try:
        found = json.loads(tree.contents.get("package.json", ""))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def test_script(tree: Tree) -> str:
    """Return the script that ``npm test`` runs."""
    scripts = package(tree).get("scripts")
    script = scripts.get("test") if isinstance(scripts, dict) else None
    return script if isinstance(script, str) else ""


def depends_on(tree: Tree, name: str) -> bool:
    """Return whether the repository asks for a package, for itself or for its development."""
    groups = (package(tree).get(group) for group in ("devDependencies", "dependencies"))
    return any(isinstance(group, dict) and name in group for group in groups)


def says(tree: Tree, word: str) -> bool:
    """Return whether ``npm test`` runs a program of that name."""
    return re.search(rf"(?:^|[\s/&;]){re.escape(word)}(?![\w-])", test_script(tree)) is not None


def suggest(word: str, paths: Sequence[str], *, otherwise: str = "test") -> str:
    """Return a path beside the existing tests, with their ending; ``.test.js`` where there are none."""
    folder = most_used_folder(paths, lambda path: TEST_FILE.search(path) is not None, otherwise)
    beside = sorted(path for path in paths if posixpath.dirname(path) == folder and TEST_FILE.search(path))
    ending = re.search(r"\.(?:test|spec)\.[cm]?[jt]sx?$|\.[cm]?[jt]sx?$", beside[0]) if beside else None
    return posixpath.join(folder, f"ai_ops_{word}{ending.group() if ending else '.test.js'}")


def failed(run: RawRun, result: CaseResult, name: str, message: str, stack: str) -> CaseResult:
    """Return a failed result with what its error tells.

    Args:
        run: the run, which knows the roots.
        result: the result.
        name: the error's own name; a class that never set one is an ``Error`` to the stack as well.
        message: its message.
        stack: its stack.
    """
    told = CaseResult(result.id, result.outcome, message=message[:MAX_MESSAGE])
    found = explained(told, name, stack, run.roots, "javascript")
    if name and name != "Error" and found.exception_type in ("", "Error"):
        return CaseResult(found.id, found.outcome, name, found.message, found.frames)
    return found


def loaded_badly(run: RawRun, file: str, text: str) -> CaseResult:
    """Return the result of a file whose tests could not be loaded: an error whose id is the file alone."""
    first = next((line for line in text.splitlines() if "Error" in line), text[:200])
    return failed(run, CaseResult(file, CaseOutcome.ERROR), "", first.strip(), text)


def missing(report: SuiteReport, _paths: Sequence[str]) -> tuple[str, ...]:
    """Return the packages that could not be found where tests could not even be loaded."""
    if report.results is None:
        texts = [report.output]
    else:
        texts = [r.message for r in report.results if r.outcome is CaseOutcome.ERROR and "::" not in r.id]
    found = {
        name for text in texts for pattern in (_NO_PACKAGE, _NOT_RESOLVED) for name in pattern.findall(text)
    }
    if report.results is None:
        found |= set(_NO_COMMAND.findall(report.output))
    return tuple(sorted(found))
