"""Maven: ``mvn test`` offline, read from the XML that Surefire writes for each class."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Final

from ai_ops.core.runners import jvm
from ai_ops.core.runners.model import PATHS, Commands, RawRun, Text, Tree
from ai_ops.flow.report import CaseResult, SuiteReport

NAME: Final = "maven"
LANGUAGES: Final = jvm.LANGUAGES
TOOLS: Final = ("java", "mvn")
REPORTS: Final = ("**/target/surefire-reports/TEST-*.xml",)
ENVIRONMENT: Final[Mapping[str, str]] = {}
SOURCES: Final = jvm.SOURCES

_COMMAND = ("mvn", "--offline", "--batch-mode", "--fail-at-end", "-Dstyle.color=never")
_GOAL = ("-DtrimStackTrace=false", "-Dsurefire.rerunFailingTestsCount=0", "test")
_RAN = re.compile(
    r"^\[(?:INFO|WARNING|ERROR)\] Tests run: (\d{1,9}), Failures: \d{1,9}, "
    r"Errors: \d{1,9}, Skipped: \d{1,9}\s*$",
    re.MULTILINE,
)


def uses(tree: Tree) -> bool:
    """Return whether there is a ``pom.xml``."""
    return any(posixpath.basename(path) == "pom.xml" for path in tree.paths)


def commands(tree: Tree) -> Commands:
    """Return ``mvn test`` for the project nearest to the root."""
    poms = [path for path in tree.paths if posixpath.basename(path) == "pom.xml"]
    pom = min(poms, key=lambda path: (path.count("/"), path), default="pom.xml")
    command = _COMMAND if pom == "pom.xml" else (*_COMMAND, "--file", pom)
    return Commands((*command, *_GOAL), (*command, PATHS, *_GOAL))


def collects(path: str) -> bool:
    """Return whether a file is named like a class of tests."""
    return jvm.collects(path)


def suggest(word: str, paths: Sequence[str]) -> str:
    """Return a path beside the existing tests."""
    return jvm.suggest(word, paths)


def select(paths: Sequence[str], _text: Text) -> tuple[str, ...]:
    """Return the classes, and the modules that they are in with those that these need."""
    classes = [name for path in paths if (name := jvm.class_of(path))]
    modules = dict.fromkeys(jvm.module_of(path) for path in paths if jvm.class_of(path))
    words = (
        f"-Dtest={','.join(classes)}",
        "-Dsurefire.failIfNoSpecifiedTests=false",
        "-DfailIfNoTests=false",
    )
    named = [module for module in modules if module]
    return (*words, "--projects", ",".join(named), "--also-make") if named else words


def read(run: RawRun) -> tuple[CaseResult, ...] | None:
    """Return the results in Surefire's files; None when they hold more than Surefire says it ran."""
    results = jvm.read(run)
    ran = sum(map(int, _RAN.findall(run.output)))
    tests = [case for case in results or () if "::" in case.id]
    return None if _RAN.search(run.output) and len(tests) > ran else results


def missing(report: SuiteReport, paths: Sequence[str]) -> tuple[str, ...]:
    """Return the artifacts that are not in the local repository."""
    return jvm.missing(report, paths)
