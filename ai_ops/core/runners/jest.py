"""jest, read from its own JSON report.

Its stacks name the function that is called at a place, not the one that the place lies in, so the names
in frames are left out and the files alone are compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from ai_ops.core.runners import javascript
from ai_ops.core.runners.model import REPORT_FOLDER, Commands, RawRun, Text, Tree
from ai_ops.flow.report import CaseOutcome, CaseResult, SuiteReport

NAME: Final = "jest"
LANGUAGES: Final = javascript.LANGUAGES
TOOLS: Final = ("node",)
REPORT = f"{REPORT_FOLDER}/jest.json"
REPORTS: Final = (REPORT,)
ENVIRONMENT: Final[Mapping[str, str]] = {"CI": "true", "NO_COLOR": "1"}
SOURCES: Final[tuple[str, ...]] = ()

_OPTIONS = ("--ci", "--watchman=false", "--json", f"--outputFile={REPORT}")
_OUTCOMES = {"passed": CaseOutcome.PASSED, "failed": CaseOutcome.FAILED}


def uses(tree: Tree) -> bool:
    """Return whether ``npm test`` is jest, or jest is a dependency."""
    return javascript.uses(tree, "jest")


def commands(tree: Tree) -> Commands:
    """Return jest as the test script calls it."""
    return javascript.commands(tree, "jest", _OPTIONS, ("--runTestsByPath",))


def collects(path: str) -> bool:
    """Return whether jest's own patterns take a file."""
    return javascript.TEST_FILE.search(path) is not None


def suggest(word: str, paths: Sequence[str]) -> str:
    """Return a path beside the existing tests."""
    return javascript.suggest(word, paths)


def select(paths: Sequence[str], _text: Text) -> tuple[str, ...]:
    """Return the paths of tests."""
    return javascript.select(paths)


def read(run: RawRun) -> tuple[CaseResult, ...] | None:
    """Return the results in jest's report, with frames that name files alone."""
    results = read_json(run, run.reports.get(REPORT, b""))
    if results is None:
        return None
    nameless = [tuple(replace(frame, function="") for frame in case.frames) for case in results]
    return tuple(replace(case, frames=frames) for case, frames in zip(results, nameless, strict=True))


def read_json(run: RawRun, data: bytes) -> tuple[CaseResult, ...] | None:
    """Return the results in a report of jest's form, which vitest writes too; None unless it is whole."""
    try:
        report = json.loads(data)
        files = report["testResults"]
        if report["numTotalTests"] != sum(len(file["assertionResults"]) for file in files):
            return None
        return tuple(result for file in files for result in _file(run, file))
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None


def _file(run: RawRun, file: dict[str, Any]) -> Iterator[CaseResult]:
    place = run.relative(str(file["name"]))
    if file["status"] == "failed" and not any(t["status"] == "failed" for t in file["assertionResults"]):
        yield javascript.loaded_badly(run, place, str(file.get("message", "")))
    for test in file["assertionResults"]:
        names = [*map(str, test["ancestorTitles"]), str(test["title"])]
        outcome = _OUTCOMES.get(test["status"], CaseOutcome.SKIPPED)
        result = CaseResult("::".join([place, *names]), outcome)
        if outcome is CaseOutcome.FAILED:
            said = "\n".join(map(str, test["failureMessages"]))
            result = javascript.failed(run, result, "", said.split("\n", 1)[0], said)
        yield result


def missing(report: SuiteReport, paths: Sequence[str]) -> tuple[str, ...]:
    """Return the packages that tests could not load."""
    return javascript.missing(report, paths)
