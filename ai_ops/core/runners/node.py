"""node:test, Node's own runner, read from a reporter of ours.

Its reporters name no file of a test. A file that ends early is a passed file to Node, without its tests:
files are no results, so those tests vanish and are missed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ai_ops.core.runners import javascript
from ai_ops.core.runners.model import PATHS, REPORT_FOLDER, REPORTERS, Commands, RawRun, Text, Tree
from ai_ops.flow.report import CaseOutcome, CaseResult, SuiteReport

NAME: Final = "node:test"
LANGUAGES: Final = javascript.LANGUAGES
TOOLS: Final = ("node",)
REPORT = f"{REPORT_FOLDER}/node.jsonl"
REPORTS: Final = (REPORT,)
# By the environment, so that a command of the repository's own reports as well.
ENVIRONMENT: Final[Mapping[str, str]] = {
    "NODE_OPTIONS": f"--test-reporter={REPORTERS}/node.mjs --test-reporter-destination={REPORT} "
    "--test-reporter=spec --test-reporter-destination=stdout",
    "NO_COLOR": "1",
}
SOURCES: Final[tuple[str, ...]] = ()

_NPM_DEFAULT = 'echo "Error: no test specified" && exit 1'


def uses(tree: Tree) -> bool:
    """Return whether ``npm test`` is ``node --test``, or test files stand beside a bare ``package.json``."""
    if javascript.says(tree, "node") and "--test" in javascript.test_script(tree):
        return True
    others = any(javascript.depends_on(tree, name) for name in (*javascript.PROGRAMS, "ava", "tap"))
    plain = not others and javascript.test_script(tree) in ("", _NPM_DEFAULT)
    return plain and tree.has("package.json") and any(map(collects, tree.paths))


def commands(tree: Tree) -> Commands:
    """Return the repository's own test script, or ``node --test``; with its flags for single files."""
    if javascript.script_of(tree, "node") is None:
        return Commands(("node", "--test"), ("node", "--test", PATHS))
    script = javascript.test_script(tree)
    return Commands(("sh", "-c", script, "sh"), javascript.commands(tree, "node", ("--test",)).selected)


def collects(path: str) -> bool:
    """Return whether a file is named like a test."""
    return javascript.TEST_FILE.search(path) is not None


def suggest(word: str, paths: Sequence[str]) -> str:
    """Return a path beside the existing tests."""
    return javascript.suggest(word, paths)


def select(paths: Sequence[str], _text: Text) -> tuple[str, ...]:
    """Return the paths of tests."""
    return javascript.select(paths)


def read(run: RawRun) -> tuple[CaseResult, ...] | None:
    """Return the tests that the reporter saw; None unless it came to its end and counted as many."""
    try:
        lines = [json.loads(line) for line in run.reports.get(REPORT, b"").splitlines()]
        end = lines.pop() if lines else {}
        if end != {"end": len(lines)}:
            return None
        parents = {
            (seen["file"], *names[:n])
            for seen in lines
            for names in [seen["test"]]
            for n in range(1, len(names))
        }
        return tuple(result for seen in lines for result in _results(run, seen, parents))
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None


def _results(run: RawRun, seen: dict[str, Any], parents: set[tuple[str, ...]]) -> Iterator[CaseResult]:
    """Yield the result of one test. What only groups tests is none, unless it failed by itself."""
    names, error = seen["test"], seen["error"]
    file = run.relative(str(seen["file"]))
    if [run.relative(str(name)) for name in names] == [file]:  # the file as a whole
        if error and error["failure"] != "subtestsFailed":
            yield javascript.loaded_badly(run, file, f"{seen['stderr']}\n{error['message']}")
        return
    groups = seen["suite"] or (seen["file"], *names) in parents
    if groups and (not error or error["failure"] == "subtestsFailed"):
        return
    place = "::".join([file, *map(str, names)])
    if seen["aside"]:  # a test to do may fail without failing the run
        yield CaseResult(place, CaseOutcome.SKIPPED)
    elif not error:
        yield CaseResult(place, CaseOutcome.PASSED)
    else:
        outcome = CaseOutcome.FAILED if error["failure"] == "testCodeFailure" else CaseOutcome.ERROR
        result = CaseResult(place, outcome)
        yield javascript.failed(run, result, error["name"], error["message"], error["stack"])


def missing(report: SuiteReport, paths: Sequence[str]) -> tuple[str, ...]:
    """Return the packages that tests could not load."""
    return javascript.missing(report, paths)
