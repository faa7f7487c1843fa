"""What the runners of JavaScript and TypeScript share: their tests' names, and what is missing for them."""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ai_ops.core.reports import MAX_MESSAGE
from ai_ops.core.runners.failures import explained
from ai_ops.core.runners.model import PATHS, Commands, RawRun, Tree, most_used_folder
from ai_ops.flow.report import CaseOutcome, CaseResult, SuiteReport

LANGUAGES = ("javascript", "typescript")
TEST_FILE = re.compile(r"\.(?:test|spec)\.[cm]?[jt]sx?$|(?:^|/)__tests__/.+\.[cm]?[jt]sx?$")
ENDINGS = r"\.[cm]?[jt]sx?$"

PROGRAMS = ("vitest", "jest", "mocha")

_WITH_VALUE = frozenset(
    {
        "--import", "--require", "-r", "--loader", "--experimental-loader", "-C", "--conditions", "--config",
        "-c", "--extension", "--ui", "-u", "--root", "--project", "-p", "--selectProjects", "--dir", "--env",
        "--environment", "--pool",
    }
)  # fmt: skip
_OURS = ("--test", "--reporter", "--json", "--outputFile", "--watch", "--coverage")
_VARIABLE = re.compile(r"[A-Za-z_]\w*=")
_SHELL = re.compile(r"[|;<>`&]|\$\(")
_NO_PACKAGE = re.compile(r"Cannot find (?:package|module) '((?![./]|[a-z]+:)[^'\n]{1,200})'")
_NOT_RESOLVED = re.compile(r"Failed to (?:resolve import|load url) \"?((?![./])[^\"\s]{1,200})\"?")
_NO_COMMAND = re.compile(
    r"(?:exec: |execvp |: )(jest|vitest|mocha|tsx|ts-node|node|npm): (?:not found|No such)"
)


def package(tree: Tree) -> dict[str, Any]:
    """Return ``package.json``; empty when there is none, or none that can be read."""
    try:
        found = json.loads(tree.contents.get("package.json", ""))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def test_script(tree: Tree) -> str:
    """Return the script that ``npm test`` runs."""
    scripts = package(tree).get("scripts")
    script = scripts.get("test") if isinstance(scripts, dict) else None
    return script if isinstance(script, str) else ""


def depends_on(tree: Tree, name: str) -> bool:
    """Return whether the repository asks for a package, for itself or for its development."""
    groups = (package(tree).get(group) for group in ("devDependencies", "dependencies"))
    return any(isinstance(group, dict) and name in group for group in groups)


def says(tree: Tree, word: str) -> bool:
    """Return whether ``npm test`` runs a program of that name."""
    return re.search(rf"(?:^|[\s/&;]){re.escape(word)}(?![\w-])", test_script(tree)) is not None


def uses(tree: Tree, program: str) -> bool:
    """Return whether ``npm test`` runs a program or, where it runs none that is known, it is a dependency."""
    if any(says(tree, each) for each in PROGRAMS) or says(tree, "node"):
        return says(tree, program)
    return depends_on(tree, program)


@dataclass(frozen=True, slots=True)
class Script:
    """What a test script says of a program: commands before it, variables, and flags with their values."""

    before: str = ""
    variables: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


def script_of(tree: Tree, program: str) -> Script | None:
    """Return what the test script says when it ends with that program; None when it does not."""
    *before, last = test_script(tree).split("&&")
    try:
        words = [word for word in shlex.split(last) if word not in ("npx", "cross-env", "exec")]
    except ValueError:
        return None
    at = next((n for n, word in enumerate(words) if not _VARIABLE.match(word)), len(words))
    if at == len(words) or posixpath.basename(words[at]) != program or _SHELL.search(last):
        return None
    flags: list[str] = []
    rest = iter(words[at + 1 :])
    for word in rest:
        if word in _WITH_VALUE:
            flags += [word, next(rest, "")]
        elif word.startswith("-") and not word.startswith(_OURS):
            flags.append(word)
    return Script("&&".join(before).strip(), tuple(words[:at]), tuple(flags))


def commands(tree: Tree, program: str, options: Sequence[str], selecting: Sequence[str] = ()) -> Commands:
    """Return how a program is called: the suite as the script does it, with options of ours behind.

    Args:
        tree: the repository.
        program: its name.
        options: make it write its report.
        selecting: stand before the paths of single files.
    """
    script = script_of(tree, program)
    if script is None:
        return Commands((program, *options), (program, *options, *selecting, PATHS))
    variables = ("env", *script.variables) if script.variables else ()
    words = (*variables, program, *script.flags, *options, *selecting, PATHS)
    if script.before:
        words = ("sh", "-c", f'{script.before} && exec "$@"', "sh", *words)
    return Commands(("sh", "-c", f'{test_script(tree)} "$@"', "sh", *options), words)


def suggest(word: str, paths: Sequence[str], *, otherwise: str = "test") -> str:
    """Return a path beside the existing tests, with their ending; ``.test.js`` where there are none."""
    folder = most_used_folder(paths, lambda path: TEST_FILE.search(path) is not None, otherwise)
    beside = sorted(path for path in paths if posixpath.dirname(path) == folder and TEST_FILE.search(path))
    ending = re.search(r"\.(?:test|spec)\.[cm]?[jt]sx?$|\.[cm]?[jt]sx?$", beside[0]) if beside else None
    return posixpath.join(folder, f"ai_ops_{word}{ending.group() if ending else '.test.js'}")


def failed(run: RawRun, result: CaseResult, name: str, message: str, stack: str) -> CaseResult:
    """Return a failed result with what its error tells.

    Args:
        run: the run, which knows the roots.
        result: the result.
        name: the error's own name; a class that never set one is an ``Error`` to the stack as well.
        message: its message.
        stack: its stack.
    """
    told = CaseResult(result.id, result.outcome, message=message[:MAX_MESSAGE])
    found = explained(told, name, stack, run.roots, "javascript")
    if name and name != "Error" and found.exception_type in ("", "Error"):
        return CaseResult(found.id, found.outcome, name, found.message, found.frames)
    return found


def select(paths: Sequence[str]) -> tuple[str, ...]:
    """Return the paths of tests, else of all code; what lies beside tests is not run."""
    tests = tuple(path for path in paths if TEST_FILE.search(path))
    return tests or tuple(path for path in paths if re.search(ENDINGS, path))


def loaded_badly(run: RawRun, file: str, text: str) -> CaseResult:
    """Return the result of a file whose tests could not be loaded: an error whose id is the file alone."""
    lines = [
        line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("at ")
    ]
    first = next((line for line in lines if "Error" in line or "Cannot find" in line), "\n".join(lines[:3]))
    return failed(run, CaseResult(file, CaseOutcome.ERROR), "", first, text)


def missing(report: SuiteReport, _paths: Sequence[str]) -> tuple[str, ...]:
    """Return the packages that could not be found where tests could not even be loaded."""
    if report.results is None:
        texts = [report.output]
    else:
        texts = [r.message for r in report.results if r.outcome is CaseOutcome.ERROR and "::" not in r.id]
    found = {
        name for text in texts for pattern in (_NO_PACKAGE, _NOT_RESOLVED) for name in pattern.findall(text)
    }
    if report.results is None:
        found |= set(_NO_COMMAND.findall(report.output))
    return tuple(sorted(found))
