"""Stack traces: which log lines make one, and what it says.

One module per language, each with ``start``, ``Reader`` and ``parse``; ``follow`` serves the joiner.
"""

from __future__ import annotations

from ai_ops.core.stacktrace import java, python
from ai_ops.core.stacktrace.follow import MAX_PENDING, NEEDLES, TRACE_START, Follower, start
from ai_ops.core.stacktrace.model import ParsedTrace
from ai_ops.flow.event import Frame

__all__ = [
    "MAX_PENDING",
    "NEEDLES",
    "TRACE_START",
    "Follower",
    "Frame",
    "ParsedTrace",
    "last_python_exception",
    "parse",
    "python_frames",
    "start",
]


def parse(text: str) -> ParsedTrace | None:
    """Return the trace in a joined record, or None when it holds none."""
    return python.parse(text) or java.parse(text)


def python_frames(text: str) -> tuple[Frame, ...]:
    """Return every Python frame printed in a text, in printed order, chains and groups included."""
    return python.frames(text)


def last_python_exception(text: str) -> tuple[str, str]:
    """Return (type, message) of the exception that escaped, ('', '') when no traceback is there."""
    trace = python.parse(text)
    return (trace.exception_type, trace.message) if trace else ("", "")
