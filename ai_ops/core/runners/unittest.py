"""unittest's suites where nothing speaks of pytest: pytest runs them, because unittest writes no report.

pytest runs ``TestCase`` classes as they are. Only the files differ: ``python -m unittest`` looks for
``test*.py``, so ``tests.py`` and ``testcalc.py`` count too.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Final

from ai_ops.core.runners import pytest
from ai_ops.core.runners.model import Commands, RawRun, Text, Tree, most_used_folder
from ai_ops.flow.report import CaseResult, SuiteReport

NAME: Final = "unittest"
LANGUAGES: Final = pytest.LANGUAGES
TOOLS: Final = pytest.TOOLS
REPORTS: Final = pytest.REPORTS
SOURCES: Final = pytest.SOURCES
ENVIRONMENT: Final[Mapping[str, str]] = {
    **pytest.ENVIRONMENT,
    "PYTEST_ADDOPTS": f"{pytest.OPTIONS} -o python_files='test*.py *_test.py'",
}

_TEST_FILE = re.compile(r"(?:^|/)test[^/]*\.py$")


def uses(tree: Tree) -> bool:
    """Return whether unittest's own pattern finds files, and pytest is not configured."""
    return not pytest.is_configured(tree.contents) and any(map(collects, tree.paths))


def commands(tree: Tree) -> Commands:
    """Return pytest's argv."""
    return pytest.commands(tree)


def collects(path: str) -> bool:
    """Return whether ``python -m unittest discover`` takes a file."""
    return _TEST_FILE.search(path) is not None


def suggest(word: str, paths: Sequence[str]) -> str:
    """Return a path beside the existing tests."""
    return posixpath.join(most_used_folder(paths, collects, "tests"), f"test_ai_ops_{word}.py")


def select(paths: Sequence[str], text: Text) -> tuple[str, ...]:
    """Return the paths."""
    return pytest.select(paths, text)


def read(run: RawRun) -> tuple[CaseResult, ...] | None:
    """Return the results in pytest's report."""
    return pytest.read(run)


def missing(report: SuiteReport, paths: Sequence[str]) -> tuple[str, ...]:
    """Return modules that cannot be imported."""
    return pytest.missing(report, paths)
