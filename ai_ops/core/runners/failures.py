"""The text of a failed test, read into exception type, message and frames by the trace readers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from ai_ops.core import stacktrace
from ai_ops.core.reports import MAX_MESSAGE, beneath
from ai_ops.core.runners.model import RawRun
from ai_ops.flow.event import Frame
from ai_ops.flow.report import CaseOutcome, CaseResult

Results = tuple[CaseResult, ...]

_MAX_TEXT = 200_000


def explained(
    result: CaseResult, kind: str, text: str, roots: Sequence[str], language: str = ""
) -> CaseResult:
    """Return a failed result with what its text tells.

    Args:
        result: the result, with the message that the runner gave it.
        kind: the exception type that the runner names, for a text without a trace.
        text: what the runner printed of the failure.
        roots: the folders the repository may have been seen at.
        language: that of the trace, any when empty.
    """
    trace = stacktrace.parse(text[:_MAX_TEXT], language)
    if trace is None:
        return replace(result, exception_type=kind)
    folders = [root.rstrip("/") + "/" for root in roots]
    return replace(
        result,
        exception_type=trace.exception_type or kind,
        message=(trace.message or result.message)[:MAX_MESSAGE],
        frames=beneath(trace.frames, folders),
    )


def uncompiled(
    run: RawRun, collects: Callable[[str], bool], errors: Iterable[tuple[str, int, str]]
) -> Results:
    """Return the compiler's errors as results: a file that cannot be compiled has no tests to run.

    The id of a file of tests is its path, as for one that cannot be loaded; code is no test.

    Args:
        run: the run, which knows the roots.
        collects: whether a path is one of tests.
        errors: path, line and message of each.
    """
    found: dict[str, CaseResult] = {}
    for path, line, message in errors:
        file = run.relative(path)
        place = file if collects(file) else f"to compile {file}"
        frames = (Frame(file, line, ""),)
        found.setdefault(place, CaseResult(place, CaseOutcome.ERROR, "", message[:MAX_MESSAGE], frames))
    return tuple(found.values())
