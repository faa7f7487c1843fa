"""Any command that writes JUnit XML or TAP, as ``report`` in ``.ai-ops.yml`` says.

``junit`` is the file that ``$AI_OPS_REPORT`` names, ``tap`` is what the command prints, and anything else
is a pattern of JUnit files in the checkout, such as ``build/reports/*.xml``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from ai_ops.core.reports import MAX_MESSAGE, missing_modules, parse_junit
from ai_ops.core.runners import javascript
from ai_ops.core.runners.failures import explained
from ai_ops.core.runners.model import JUNIT_FILE, PATHS, Commands, RawRun, Text, Tree
from ai_ops.core.runners.sources import Sources
from ai_ops.core.tap import parse_tap
from ai_ops.flow.report import CaseOutcome, CaseResult, SuiteReport

JUNIT, TAP = "junit", "tap"

NAME: Final = "command"
LANGUAGES: Final[tuple[str, ...]] = ()
TOOLS: Final = ("node", "java", "mvn", "gradle", "go", "cargo", "rustc")
REPORTS: Final = (JUNIT_FILE,)
ENVIRONMENT: Final[Mapping[str, str]] = {"AI_OPS_REPORT": JUNIT_FILE}
SOURCES: Final = ("",)

_GRAVITY = {CaseOutcome.PASSED: 0, CaseOutcome.SKIPPED: 1, CaseOutcome.ERROR: 2, CaseOutcome.FAILED: 2}


def uses(_tree: Tree) -> bool:
    """Return False: only ``.ai-ops.yml`` chooses it."""
    return False


def commands(_tree: Tree) -> Commands:
    """Return none: ``.ai-ops.yml`` has them."""
    return Commands((), (PATHS,))


def collects(_path: str) -> bool:
    """Return False: nothing is known of its files; a report names them."""
    return False


def suggest(word: str, paths: Sequence[str]) -> str:
    """Return a path beside what looks like tests in the language of most of them."""
    script = any(map(javascript.TEST_FILE.search, paths))
    return javascript.suggest(word, paths) if script else f"tests/test_ai_ops_{word}.py"


def select(paths: Sequence[str], _text: Text) -> tuple[str, ...]:
    """Return the paths."""
    return tuple(paths)


def read(run: RawRun) -> tuple[CaseResult, ...] | None:
    """Return what the report files say, or what was printed where there are none to read.

    Results that name no file belong to the one file that was asked for.
    """
    found = _read_junit(run) if run.places else _read_tap(run)
    if found is None or len(run.selected) != 1:
        return found
    (file,) = run.selected
    known = set(run.sources)
    placed = [case if case.id.partition("::")[0] in known else _moved(case, file) for case in found]
    return tuple(placed)


def _moved(case: CaseResult, file: str) -> CaseResult:
    return CaseResult(f"{file}::{case.id}", case.outcome, case.exception_type, case.message, case.frames)


def _read_junit(run: RawRun) -> tuple[CaseResult, ...] | None:
    return read_junit(run, Sources(run.sources)) if run.reports else None


def read_junit(run: RawRun, sources: Sources, language: str = "") -> tuple[CaseResult, ...] | None:
    """Return the results in all JUnit files of a run; None when one of them cannot be read.

    Args:
        run: the run.
        sources: finds the files of classes.
        language: that of the traces, any when empty.
    """
    results: dict[str, CaseResult] = {}

    def place(classname: str, name: str, file: str) -> str:
        if file := run.relative(file):
            module = file.rpartition(".")[0].replace("/", ".")
            rest = "" if classname == file else classname.removeprefix(module).lstrip(".")
        else:
            file, rest = sources.file_of(classname)
        return "::".join(filter(None, (file, rest, name)))

    explain = partial(explained, language=language)
    for xml in run.reports.values():
        cases = parse_junit(xml, roots=run.roots, place=place, explain=explain)
        if cases is None:
            return None
        for case in cases:
            if case.id not in results or _GRAVITY[case.outcome] > _GRAVITY[results[case.id].outcome]:
                results[case.id] = case
    return tuple(results.values())


def _read_tap(run: RawRun) -> tuple[CaseResult, ...] | None:
    points = parse_tap(run.output)
    if points is None:
        return None
    results = []
    for point in points:
        first, *others = point.names
        place = "::".join([run.relative(first), *others])
        result = CaseResult(place, point.outcome)
        if point.outcome is CaseOutcome.FAILED:
            said = "\n".join(point.said)
            result = CaseResult(place, point.outcome, message=said.strip()[:MAX_MESSAGE])
            result = explained(result, "", said, run.roots)
        results.append(result)
    return tuple(results)


def missing(report: SuiteReport, paths: Sequence[str]) -> tuple[str, ...]:
    """Return what Python and Node could not import."""
    return (*missing_modules(report, paths), *javascript.missing(report, paths))
