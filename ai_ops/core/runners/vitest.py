"""vitest, read from its JSON report, which has the form of jest's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ai_ops.core.runners import javascript, jest
from ai_ops.core.runners.model import REPORT_FOLDER, Commands, RawRun, Text, Tree
from ai_ops.flow.report import CaseResult, SuiteReport

NAME: Final = "vitest"
LANGUAGES: Final = javascript.LANGUAGES
TOOLS: Final = ("node",)
REPORT = f"{REPORT_FOLDER}/vitest.json"
REPORTS: Final = (REPORT,)
ENVIRONMENT: Final[Mapping[str, str]] = {"CI": "true", "NO_COLOR": "1"}
SOURCES: Final[tuple[str, ...]] = ()

_OPTIONS = ("--run", "--reporter=default", "--reporter=json", f"--outputFile.json={REPORT}")


def uses(tree: Tree) -> bool:
    """Return whether ``npm test`` is vitest, or vitest is a dependency."""
    return javascript.uses(tree, "vitest")


def commands(tree: Tree) -> Commands:
    """Return vitest as the test script calls it, once and without watching."""
    return javascript.commands(tree, "vitest", _OPTIONS)


def collects(path: str) -> bool:
    """Return whether vitest's own patterns take a file."""
    return javascript.TEST_FILE.search(path) is not None


def suggest(word: str, paths: Sequence[str]) -> str:
    """Return a path beside the existing tests."""
    return javascript.suggest(word, paths)


def select(paths: Sequence[str], _text: Text) -> tuple[str, ...]:
    """Return the paths of tests."""
    return javascript.select(paths)


def read(run: RawRun) -> tuple[CaseResult, ...] | None:
    """Return the results in vitest's report."""
    return jest.read_json(run, run.reports.get(REPORT, b""))


def missing(report: SuiteReport, paths: Sequence[str]) -> tuple[str, ...]:
    """Return the packages that tests could not load."""
    return javascript.missing(report, paths)
