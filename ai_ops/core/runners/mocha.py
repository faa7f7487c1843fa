"""mocha, read from its own JSON report. It names a test by one title, with those of its groups in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ai_ops.core.runners import javascript
from ai_ops.core.runners.model import REPORT_FOLDER, Commands, RawRun, Text, Tree
from ai_ops.flow.report import CaseOutcome, CaseResult, SuiteReport

NAME: Final = "mocha"
LANGUAGES: Final = javascript.LANGUAGES
TOOLS: Final = ("node",)
REPORT = f"{REPORT_FOLDER}/mocha.json"
REPORTS: Final = (REPORT,)
ENVIRONMENT: Final[Mapping[str, str]] = {"CI": "true", "NO_COLOR": "1"}
SOURCES: Final[tuple[str, ...]] = ()

_OPTIONS = ("--reporter=json", f"--reporter-option=output={REPORT}")


def uses(tree: Tree) -> bool:
    """Return whether ``npm test`` is mocha, or mocha is a dependency."""
    return javascript.uses(tree, "mocha")


def commands(tree: Tree) -> Commands:
    """Return mocha as the test script calls it."""
    return javascript.commands(tree, "mocha", _OPTIONS)


def collects(path: str) -> bool:
    """Return whether a file is named like a test, or lies where mocha looks for them."""
    return javascript.TEST_FILE.search(path) is not None or (
        path.startswith("test/") and path.endswith((".js", ".cjs", ".mjs"))
    )


def suggest(word: str, paths: Sequence[str]) -> str:
    """Return a path beside the existing tests."""
    return javascript.suggest(word, paths)


def select(paths: Sequence[str], _text: Text) -> tuple[str, ...]:
    """Return the paths of tests."""
    return tuple(filter(collects, paths)) or javascript.select(paths)


def read(run: RawRun) -> tuple[CaseResult, ...] | None:
    """Return the results in mocha's report; a file that could not be loaded leaves none, and is told."""
    data = run.reports.get(REPORT)
    if data is None and run.exit_code and len(run.selected) == 1:
        return (javascript.loaded_badly(run, run.selected[0], run.output),)
    try:
        report = json.loads(data or b"")
        if report["stats"]["tests"] != len(report["tests"]):
            return None
        skipped = {_place(run, test) for test in report["pending"]}
        results = [_result(run, test, skipped) for test in report["tests"]]
        known = {result.id for result in results}
        # A hook that fails is no test, and keeps its tests from being any.
        hooks = [test for test in report["failures"] if _place(run, test) not in known]
        return (*results, *(_failed(run, test, CaseOutcome.ERROR) for test in hooks))
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None


def _place(run: RawRun, test: dict[str, Any]) -> str:
    return f"{run.relative(str(test['file']))}::{test['fullTitle']}"


def _result(run: RawRun, test: dict[str, Any], skipped: set[str]) -> CaseResult:
    if test["err"]:
        return _failed(run, test, CaseOutcome.FAILED)
    place = _place(run, test)
    return CaseResult(place, CaseOutcome.SKIPPED if place in skipped else CaseOutcome.PASSED)


def _failed(run: RawRun, test: dict[str, Any], outcome: CaseOutcome) -> CaseResult:
    error = test["err"]
    name, message, stack = (str(error.get(key, "")) for key in ("name", "message", "stack"))
    return javascript.failed(run, CaseResult(_place(run, test), outcome), name, message, stack)


def missing(report: SuiteReport, paths: Sequence[str]) -> tuple[str, ...]:
    """Return the packages that tests could not load."""
    return javascript.missing(report, paths)
