"""What the runners of the Java virtual machine share: classes by their files, JUnit XML, compilers."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from ai_ops.core.runners.command import read_junit
from ai_ops.core.runners.failures import uncompiled
from ai_ops.core.runners.model import RawRun, most_used_folder
from ai_ops.core.runners.sources import Sources
from ai_ops.flow.report import CaseResult, SuiteReport

LANGUAGES = ("java", "kotlin", "scala", "groovy")
SOURCES = (".java", ".kt", ".scala", ".groovy")
TEST_FILE = re.compile(
    r"(?:^|/)src/test/(?:java|kotlin|scala|groovy)/(?P<name>(?:[\w.-]+/)*[A-Z]\w*)\.(?:java|kt|scala|groovy)$"
)

_TESTS = re.compile(r"(?:Test|Tests|TestCase|IT|Spec)\Z|\ATest")
_JAVAC = re.compile(
    r"^(?:\[ERROR\] |e: (?:file://)?)?(?P<file>/[^\s:\[][^:\[\n]{0,1000}\.(?:java|kt)):"
    r"(?:\[(?P<at>\d{1,9}),\d{1,9}\]|(?P<line>\d{1,9})(?::\d{1,9})?:?) "
    r"(?:error: )?(?P<message>[^\n]{1,2000})",
    re.MULTILINE,
)
_NO_ARTIFACT = re.compile(
    r"(?:the artifact|Could not find artifact|Could not resolve|No cached version of) "
    r"([\w.-]{1,200}:[\w.-]{1,200}(?::[\w.-]{1,100}){1,3})"
)


def class_of(path: str) -> str:
    """Return the class that a file of tests is named after; empty when it lies where none is looked for."""
    found = TEST_FILE.search(path)
    return found["name"].replace("/", ".") if found else ""


def module_of(path: str) -> str:
    """Return the folder of the module that a file of tests belongs to, empty at the root."""
    return path[: path.index("src/test/")].rstrip("/") if "src/test/" in path else ""


def collects(path: str) -> bool:
    """Return whether a file is named like a class of tests and lies where those do."""
    return _TESTS.search(class_of(path).rpartition(".")[2]) is not None


def suggest(word: str, paths: Sequence[str]) -> str:
    """Return a path beside the existing tests, in their language."""
    folder = most_used_folder(paths, collects, "src/test/java")
    ending = next((path.rpartition(".")[2] for path in paths if posixpath.dirname(path) == folder), "java")
    return posixpath.join(folder, f"AiOps{word.capitalize()}Test.{ending}")


def read(run: RawRun) -> tuple[CaseResult, ...] | None:
    """Return the results in the JUnit files, and the compiler's errors; None when there is neither.

    The order of files says nothing, so that of results is by id.
    """
    tests = Sources(path for path in run.sources if TEST_FILE.search(path))
    found = read_junit(run, tests, "java") if run.reports else ()
    if found is None:
        return None
    errors = [
        (each["file"], int(each["at"] or each["line"]), each["message"])
        for each in _JAVAC.finditer(run.output)
        if run.exit_code
    ]
    return (*sorted(found, key=lambda case: case.id), *uncompiled(run, collects, errors)) or None


def missing(report: SuiteReport, _paths: Sequence[str]) -> tuple[str, ...]:
    """Return the artifacts that are not there and kept everything from running."""
    return () if report.results else tuple(sorted(set(_NO_ARTIFACT.findall(report.output))))
