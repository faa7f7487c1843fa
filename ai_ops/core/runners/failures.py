"""The text of a failed test, read into exception type, message and frames by the trace readers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ai_ops.core import stacktrace
from ai_ops.core.reports import MAX_MESSAGE, beneath
from ai_ops.flow.report import CaseResult

_MAX_TEXT = 200_000


def explained(result: CaseResult, kind: str, text: str, roots: Sequence[str]) -> CaseResult:
    """Return a failed result with what its text tells, in whatever language it is printed.

    Args:
        result: the result, with the message that the runner gave it.
        kind: the exception type that the runner names, for a text without a trace.
        text: what the runner printed of the failure.
        roots: the folders the repository may have been seen at.
    """
    trace = stacktrace.parse(text[:_MAX_TEXT])
    if trace is None:
        return replace(result, exception_type=kind)
    folders = [root.rstrip("/") + "/" for root in roots]
    return replace(
        result,
        exception_type=trace.exception_type or kind,
        message=(trace.message or result.message)[:MAX_MESSAGE],
        frames=beneath(trace.frames, folders),
    )
