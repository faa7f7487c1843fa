"""Test reports: JUnit XML, read into results; where nothing else is said, as pytest writes it.

The report is written by the repository's own code, so it is data from outside: no document type, no
entities, bounded in size and depth. Whether a pass counts is decided elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import cast
from xml.parsers import expat  # nosec B407 - scans, and refuses what entity attacks need

from junitparser import Attr, Error, Failure, JUnitXml, JUnitXmlError, Skipped, TestCase, TestSuite

from ai_ops.core.stacktrace import last_python_exception, python_frames
from ai_ops.flow.event import Frame
from ai_ops.flow.report import CaseOutcome, CaseResult, SuiteReport

MAX_REPORT_BYTES = 20_000_000

_MAX_DEPTH = 16
MAX_MESSAGE = 2000
_MAX_FAILURE_TEXT = 200_000
_MAX_FRAMES = 100
_GRAVITY = {CaseOutcome.PASSED: 0, CaseOutcome.SKIPPED: 1, CaseOutcome.ERROR: 2, CaseOutcome.FAILED: 2}
_TRACEBACK = "Traceback (most recent call last):"
_COLLECTION_FRAME = re.compile(r"^(\S[^\n]{0,4000}?):(\d{1,9}): in ([^\n]{1,200})$", re.MULTILINE)
_SYNTAX_PLACE = re.compile(r'^E\s{1,20}File "([^"\n]{1,4000})", line (\d{1,9})', re.MULTILINE)
_COLLECTION_ERROR = re.compile(r"^E   ([A-Za-z_][\w.]{0,200})(?:: ([^\n]*))?$")
_RUNNER = re.compile(r"/site-packages/(?:_pytest|pluggy)/")
_NO_MODULE = re.compile(r"No module named '?([A-Za-z_][\w.]{0,200})")


class _Case(TestCase):
    """A test with the attribute that xunit1 adds."""

    file = Attr()


class _Refused(Exception):
    """The document uses something that reports do not need."""


def _scan(xml: bytes) -> None:
    """Refuse document types (and with them every entity) and deep nesting, before anything is built."""
    depth = 0

    def start(_name: str, _attributes: object) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise _Refused

    def end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    def doctype(*_: object) -> None:
        raise _Refused

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    parser.Parse(xml, True)


Place = Callable[[str, str, str], str]
"""Returns a test's id from its classname, name and file."""

Explain = Callable[[CaseResult, str, str, Sequence[str]], CaseResult]
"""Adds what a failure tells: the result, the failure's type and text, and the roots with a slash."""


def parse_junit(
    xml: bytes,
    *,
    roots: Sequence[str] = ("/workspace",),
    place: Place | None = None,
    explain: Explain | None = None,
) -> tuple[CaseResult, ...] | None:
    """Return the results in a report, in its order, or None when it cannot be read.

    A test that appears twice (it failed, and so did its teardown) is one result, the gravest; files that
    could not be collected are errors whose id is the file alone.

    Args:
        xml: the report, as written by pytest with ``--tb=native``, family xunit1 or xunit2.
        roots: the folders the repository may have been seen at; frames beneath one become relative, and
            only they are in-app.
        place: names a test; as pytest's are when None.
        explain: reads a failure; pytest's text when None.
    """
    if len(xml) > MAX_REPORT_BYTES:
        return None
    try:
        _scan(xml)
        report = JUnitXml.fromstring(xml)
    except (_Refused, expat.ExpatError, JUnitXmlError, SyntaxError, ValueError, LookupError):
        return None
    results: dict[str, CaseResult] = {}
    folders = [root.rstrip("/") + "/" for root in roots]
    for case in _cases(report):
        result = _result(case, folders, place or _case_id, explain or _explained)
        known = results.get(result.id)
        if known is None or _GRAVITY[result.outcome] > _GRAVITY[known.outcome]:
            results[result.id] = result
    return tuple(results.values())


def _cases(report: JUnitXml | TestSuite) -> Iterator[_Case]:
    """Yield the cases; a suite yields those of the suites inside it by itself."""
    for item in report:
        if isinstance(item, TestSuite):
            yield from _cases(item)
        else:
            yield cast(_Case, _Case.fromelem(item))  # type: ignore[no-untyped-call]


def _result(case: _Case, roots: Sequence[str], place: Place, explain: Explain) -> CaseResult:
    found = {Failure: CaseOutcome.FAILED, Error: CaseOutcome.ERROR, Skipped: CaseOutcome.SKIPPED}
    passed = CaseResult(place(case.classname or "", case.name or "", case.file or ""), CaseOutcome.PASSED)
    worst = passed
    for entry in case.result:
        outcome = found.get(type(entry), CaseOutcome.PASSED)
        if _GRAVITY[outcome] > _GRAVITY[worst.outcome]:
            worst = replace(passed, outcome=outcome, message=(entry.message or "")[:MAX_MESSAGE])
            if outcome is not CaseOutcome.SKIPPED:
                text = (entry.text or "")[-_MAX_FAILURE_TEXT:]
                worst = explain(worst, entry.type or "", text, roots)
    return worst


def _case_id(classname: str, name: str, file: str) -> str:
    """Return ``file::class::name``.

    ``classname`` is the dotted module, then the classes. The ``file`` attribute is of help only when it
    names that module: for an inherited test it names the file of the base class.
    """
    file = file.replace("\\", "/")
    module = file.removesuffix(".py").replace("/", ".")
    if not classname:  # pytest: a file that could not be collected
        return file if file and module == name else f"{name.replace('.', '/')}.py"
    if file and (classname == module or classname.startswith(module + ".")):
        classes = classname[len(module) + 1 :].split(".")
    else:
        parts = classname.split(".")
        length = next((n for n, part in enumerate(parts) if n and part[:1].isupper()), len(parts))
        file, classes = "/".join(parts[:length]) + ".py", parts[length:]
    return "::".join([file, *filter(None, classes), name])


def _explained(result: CaseResult, _type: str, text: str, roots: Sequence[str]) -> CaseResult:
    """Add what the text of pytest tells: exception type, message and frames."""
    if _TRACEBACK in text:
        kind, message = last_python_exception(text)
        frames = python_frames(text)
    else:
        kind, message = _collection_exception(text)
        frames = _collection_frames(text)
    return replace(
        result,
        exception_type=kind,
        message=(message or result.message)[:MAX_MESSAGE],
        frames=beneath(frames, roots),
    )


def _collection_frames(text: str) -> tuple[Frame, ...]:
    """Return the calls in pytest's own style, and the place of a syntax error behind them."""
    calls = [Frame(file, int(line), function) for file, line, function in _COLLECTION_FRAME.findall(text)]
    places = [Frame(file, int(line), "<module>") for file, line in _SYNTAX_PLACE.findall(text)]
    return (*calls, *places)


def _collection_exception(text: str) -> tuple[str, str]:
    """Return type and message from pytest's ``E   Type: message`` lines, the last block of them."""
    found = ("", "")
    inside = False
    for line in text.splitlines():
        matched = _COLLECTION_ERROR.match(line)
        if matched and not inside:
            found = (matched[1], matched[2] or "")
            inside = True
        elif not line.startswith("E"):
            inside = False
    return found


def beneath(frames: Sequence[Frame], roots: Sequence[str]) -> tuple[Frame, ...]:
    """Make frames of the repository relative, the others not in-app, and leave out the runner's own.

    ``roots`` end with a slash. What stands before the first call of the repository is left out too.
    """
    placed = []
    for frame in frames:
        root = next((root for root in roots if frame.file.startswith(root)), "")
        inside = bool(root) or not frame.file.startswith(("/", "<", "../"))
        if not inside and _RUNNER.search(frame.file):
            continue
        file = frame.file.removeprefix(root).removeprefix("./")
        placed.append(replace(frame, file=file, in_app=frame.in_app and inside))
    first = next((n for n, frame in enumerate(placed) if frame.in_app), 0)
    return tuple(placed[first:][-_MAX_FRAMES:])


def missing_modules(report: SuiteReport, repo_files: Sequence[str]) -> tuple[str, ...]:
    """Return the modules that tests could not import and that are not the repository's own, sorted.

    Only failed collection counts, and a run that reported nothing: a test that *runs* into
    ``ModuleNotFoundError`` may be the very error that is being repaired.
    """
    if report.results is None:
        texts = [report.output]
    else:
        texts = [
            result.message
            for result in report.results
            if result.outcome is CaseOutcome.ERROR and "::" not in result.id
        ]
    wanted = {name.partition(".")[0] for text in texts for name in _NO_MODULE.findall(text)}
    own = {
        part.removesuffix(".py") for path in repo_files if path.endswith(".py") for part in path.split("/")
    }
    return tuple(sorted(wanted - own))
