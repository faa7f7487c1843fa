"""What a test runner is: how its tests are found, named on a command line, and read from its report.

Pure: ``workspace.suite`` runs the commands and hands back what was written. One module per runner fulfils
``Runner``; ``runners.RUNNERS`` lists them.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ai_ops.flow.report import CaseResult, SuiteReport

WORKSPACE = "/workspace"
REPORT_FOLDER = "/report"
JUNIT_FILE = f"{REPORT_FOLDER}/junit.xml"
SETUP_FOLDER = "/opt/setup"
REPORTERS = "/opt/reporters"

PATHS = "{path}"
"""The place of the test files in a ``reproduce`` command."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A repository at one commit: its paths, and the text of those files that say how it is tested."""

    paths: Sequence[str]
    contents: Mapping[str, str] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether a file of that name stands at the root."""
        return name in self.paths


@dataclass(frozen=True, slots=True)
class Commands:
    """The whole suite's argv, and the argv for some test files, in which ``{path}`` stands for them."""

    suite: tuple[str, ...]
    selected: tuple[str, ...]


def _no_text(_path: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class RawRun:
    """What a finished run left: all of it written by the repository's own code, so data from outside.

    Args:
        exit_code: the command's; None when a limit ended it.
        output: stdout and stderr together.
        reports: the report files by path, those in the checkout relative to it.
        roots: the folders the repository may have been seen at.
        places: where reports were looked for; none when the output is the report.
        selected: the test files that were asked for; empty for a whole suite.
        sources: the checkout's paths that end like one of the runner's ``SOURCES``.
        text: returns the text of one of ``sources``.
    """

    exit_code: int | None
    output: str
    reports: Mapping[str, bytes] = field(default_factory=dict)
    roots: tuple[str, ...] = (WORKSPACE,)
    places: tuple[str, ...] = ()
    selected: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    text: Callable[[str], str] = _no_text

    def relative(self, path: str) -> str:
        """Return a path beneath one of the roots relative to it; any other as it is."""
        path = path.removeprefix("file://").replace("\\", "/")
        for root in self.roots:
            if path.startswith(root.rstrip("/") + "/"):
                return path[len(root.rstrip("/")) + 1 :]
        return path.removeprefix("./")


Text = Callable[[str], str]
"""Returns the text of a file of the checkout, empty when there is none."""


class Runner(Protocol):
    """What the module of one runner offers.

    ``NAME`` stands in plans. ``LANGUAGES`` are those of the errors that its tests can show. ``TOOLS`` are
    the programs of the host that it needs. ``REPORTS`` are where its reports come from: paths beneath
    ``/report``, or patterns of paths in the checkout; none when it is read from what it prints.
    ``ENVIRONMENT`` is added to a run's. ``SOURCES`` are the endings of files that reading wants to know.
    """

    @property
    def NAME(self) -> str: ...  # noqa: D102

    @property
    def LANGUAGES(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def TOOLS(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def REPORTS(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def ENVIRONMENT(self) -> Mapping[str, str]: ...  # noqa: D102

    @property
    def SOURCES(self) -> tuple[str, ...]: ...  # noqa: D102

    def uses(self, tree: Tree) -> bool:
        """Return whether a repository's tests are run by it."""
        ...

    def commands(self, tree: Tree) -> Commands:
        """Return how its tests are run where the repository does not say it itself."""
        ...

    def collects(self, path: str) -> bool:
        """Return whether it takes a file for one of tests by its path."""
        ...

    def suggest(self, word: str, paths: Sequence[str]) -> str:
        """Return where a new test could stand; ``word`` belongs into its name."""
        ...

    def select(self, paths: Sequence[str], text: Text) -> tuple[str, ...]:
        """Return the words that stand for test files on its command line."""
        ...

    def read(self, run: RawRun) -> tuple[CaseResult, ...] | None:
        """Return the results of a run, or None when there is no whole and readable report."""
        ...

    def missing(self, report: SuiteReport, paths: Sequence[str]) -> tuple[str, ...]:
        """Return what is not installed and kept the tests from running, for people."""
        ...


def most_used_folder(paths: Sequence[str], collects: Callable[[str], bool], otherwise: str) -> str:
    """Return the folder with most tests, of equals the one nearest to the root; else ``otherwise``."""
    folders: dict[str, int] = {}
    for path in paths:
        if collects(path):
            folder = posixpath.dirname(path)
            folders[folder] = folders.get(folder, 0) + 1
    return min(folders, key=lambda each: (-folders[each], each.count("/"), each), default=otherwise)
