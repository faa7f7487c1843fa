"""Test runners: which one a repository uses, how it is called, and what its report says.

A new one is a module of this package, which fulfils ``model.Runner``, and a name in ``RUNNERS``.
"""

from __future__ import annotations

from dataclasses import replace

from ai_ops.core.runners import cargo, command, go, gradle, jest, maven, mocha, node, pytest, unittest, vitest
from ai_ops.core.runners.model import PATHS, Commands, RawRun, Runner, Text, Tree
from ai_ops.flow.report import CaseResult

__all__ = [
    "PATHS",
    "RUNNERS",
    "Commands",
    "RawRun",
    "Runner",
    "Text",
    "Tree",
    "choose",
    "named",
    "places",
    "read",
]

RUNNERS: tuple[Runner, ...] = (pytest, vitest, jest, mocha, node, cargo, go, maven, gradle, unittest)
"""Where a repository uses several, the first that tests the language in question; else the first."""


def choose(tree: Tree, language: str = "") -> Runner | None:
    """Return the runner of a repository's tests, of several one for ``language``; None when there is none.

    Tests in another language show no error of one that has runners of its own.
    """
    used = [runner for runner in RUNNERS if runner.uses(tree)]
    fitting = [runner for runner in used if language in runner.LANGUAGES]
    has_runners = any(language in runner.LANGUAGES for runner in RUNNERS)
    return next(iter(fitting if has_runners else used), None)


def named(name: str) -> Runner:
    """Return the runner with this ``NAME``.

    Raises:
        KeyError: there is none.
    """
    return {runner.NAME: runner for runner in (*RUNNERS, command)}[name]


def places(name: str, report: str) -> tuple[str, ...]:
    """Return where the reports of a runner are looked for: none means that what it prints is the report.

    Args:
        name: the runner's.
        report: the repository's own word, ``tap`` or a pattern of paths; empty for the usual place.
    """
    if not report:
        return named(name).REPORTS
    return () if report == command.TAP else (report,)


def read(runner: Runner, run: RawRun) -> tuple[CaseResult, ...] | None:
    """Return the results of a run, in text that can be stored; None without a whole and readable report."""
    results = runner.read(run)
    return None if results is None else tuple(map(_storable, results))


def _storable(case: CaseResult) -> CaseResult:
    """Return a result without halves of surrogates, which JSON can bring and no database takes."""
    words = (case.id, case.exception_type, case.message)
    if all(map(str.isascii, words)):
        return case
    place, kind, message = (word.encode("utf-8", "replace").decode() for word in words)
    return replace(case, id=place, exception_type=kind, message=message)
