"""Gradle: the ``test`` tasks offline, read from the XML that they write for each class."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import Final

from ai_ops.core.runners import jvm
from ai_ops.core.runners.model import PATHS, Commands, RawRun, Text, Tree
from ai_ops.flow.report import CaseResult, SuiteReport

NAME: Final = "gradle"
LANGUAGES: Final = jvm.LANGUAGES
TOOLS: Final = ("java", "gradle")
REPORTS: Final = ("**/build/test-results/**/TEST-*.xml",)
ENVIRONMENT: Final[Mapping[str, str]] = {}
SOURCES: Final = jvm.SOURCES

_COMMAND = ("gradle", "--offline", "--no-daemon", "--continue", "--console=plain")
_BUILDS = ("build.gradle", "build.gradle.kts")


def uses(tree: Tree) -> bool:
    """Return whether there is a build file of Gradle."""
    return any(posixpath.basename(path) in _BUILDS for path in tree.paths)


def commands(tree: Tree) -> Commands:
    """Return ``gradle test`` for the build nearest to the root."""
    builds = [
        path
        for path in tree.paths
        if posixpath.basename(path).startswith(("build.gradle", "settings.gradle"))
    ]
    build = min(builds, key=lambda path: (path.count("/"), path), default="")
    folder = posixpath.dirname(build)
    command = (*_COMMAND, "--project-dir", folder) if folder else _COMMAND
    return Commands((*command, "test"), (*command, PATHS))


def collects(path: str) -> bool:
    """Return whether a file is named like a class of tests."""
    return jvm.collects(path)


def suggest(word: str, paths: Sequence[str]) -> str:
    """Return a path beside the existing tests."""
    return jvm.suggest(word, paths)


def select(paths: Sequence[str], _text: Text) -> tuple[str, ...]:
    """Return the test task of each module with its classes."""
    words: list[str] = []
    tests = [path for path in paths if jvm.class_of(path)]
    for module in dict.fromkeys(map(jvm.module_of, tests)):
        words.append(f":{module.replace('/', ':')}:test" if module else "test")
        for path in tests:
            if jvm.module_of(path) == module:
                words += ["--tests", jvm.class_of(path)]
    return tuple(words) or ("test",)


def read(run: RawRun) -> tuple[CaseResult, ...] | None:
    """Return the results in the files of the test tasks."""
    return jvm.read(run)


def missing(report: SuiteReport, paths: Sequence[str]) -> tuple[str, ...]:
    """Return the artifacts that are not in the cache."""
    return jvm.missing(report, paths)
