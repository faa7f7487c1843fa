"""pytest, from the toolbox or the repository's own set-up: its JUnit report with native tracebacks."""

from __future__ import annotations

import configparser
import posixpath
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Final

from ai_ops.core.pytest_plugins import missing_plugins
from ai_ops.core.reports import missing_modules, parse_junit
from ai_ops.core.runners.model import (
    JUNIT_FILE,
    PATHS,
    WORKSPACE,
    Commands,
    RawRun,
    Text,
    Tree,
    most_used_folder,
)
from ai_ops.flow.report import CaseResult, SuiteReport

NAME: Final = "pytest"
LANGUAGES: Final = ("python",)
TOOLS: Final[tuple[str, ...]] = ()
REPORTS: Final = (JUNIT_FILE,)
SOURCES: Final[tuple[str, ...]] = ()
COMMAND = ("python", "-m", "pytest")
# The cache goes elsewhere rather than off: without its plugin, a repository's own `--lf` is an error.
OPTIONS = (
    f"--junitxml={JUNIT_FILE} --tb=native --rootdir={WORKSPACE} -o junit_family=xunit1 "
    "-o junit_logging=no -o cache_dir=/tmp/pytest_cache"
)
ENVIRONMENT: Final[Mapping[str, str]] = {"PYTEST_ADDOPTS": OPTIONS, "PYTHONDONTWRITEBYTECODE": "1"}

_TEST_FILE = re.compile(r"(?:^|/)(?:test_[^/]*|[^/]*_test)\.py$")


def uses(tree: Tree) -> bool:
    """Return whether pytest would find tests or is configured here."""
    tests = any(collects(path) or posixpath.basename(path) == "conftest.py" for path in tree.paths)
    return tests or is_configured(tree.contents)


def is_configured(contents: Mapping[str, str]) -> bool:
    """Return whether a configuration file speaks to pytest."""
    if "pytest.ini" in contents or ".pytest.ini" in contents:
        return True
    try:
        tool = tomllib.loads(contents.get("pyproject.toml", "")).get("tool", {})
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        tool = {}
    if isinstance(tool, dict) and "pytest" in tool:
        return True
    for name, section in (("setup.cfg", "tool:pytest"), ("tox.ini", "pytest")):
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(contents.get(name, ""))
        except configparser.Error:
            continue
        if parser.has_section(section):
            return True
    return False


def commands(_tree: Tree) -> Commands:
    """Return pytest's argv."""
    return Commands(COMMAND, (*COMMAND, PATHS))


def collects(path: str) -> bool:
    """Return whether pytest's own patterns take a file."""
    return _TEST_FILE.search(path) is not None


def suggest(word: str, paths: Sequence[str]) -> str:
    """Return a path beside the existing tests."""
    return posixpath.join(most_used_folder(paths, collects, "tests"), f"test_ai_ops_{word}.py")


def select(paths: Sequence[str], _text: Text) -> tuple[str, ...]:
    """Return the paths."""
    return tuple(paths)


def read(run: RawRun) -> tuple[CaseResult, ...] | None:
    """Return the results in pytest's report."""
    xml = run.reports.get(JUNIT_FILE)
    return parse_junit(xml, roots=run.roots) if xml else None


def missing(report: SuiteReport, paths: Sequence[str]) -> tuple[str, ...]:
    """Return modules that cannot be imported, and plugins whose options pytest does not know."""
    return (*missing_modules(report, paths), *map(str, missing_plugins(report)))
