"""Stack traces: which log lines make one, and what it says.

One module per language, each with what ``model.Language`` asks for; ``languages`` lists them and
``follow`` serves the joiner.
"""

from __future__ import annotations

from ai_ops.core.container import without_container
from ai_ops.core.stacktrace import python
from ai_ops.core.stacktrace.follow import MAX_PENDING, NEEDLES, Follower, lacks_prefix, leads, may_begin
from ai_ops.core.stacktrace.languages import LANGUAGES
from ai_ops.core.stacktrace.model import ParsedTrace, Verdict
from ai_ops.flow.event import Frame

__all__ = [
    "MAX_PENDING",
    "NEEDLES",
    "Follower",
    "Frame",
    "ParsedTrace",
    "Verdict",
    "lacks_prefix",
    "last_python_exception",
    "leads",
    "may_begin",
    "parse",
    "python_frames",
]


def parse(text: str, only: str = "") -> ParsedTrace | None:
    """Return the trace in a joined record, or None when it holds none, of the language ``only`` if named."""
    lines = without_container(text.splitlines())
    for language in LANGUAGES:
        if only not in ("", language.NAME):
            continue
        if any(mark in text for mark in language.MARKS) and (trace := language.parse(lines)):
            return trace
    return None


def python_frames(text: str) -> tuple[Frame, ...]:
    """Return every Python frame printed in a text, in printed order, chains and groups included."""
    return python.frames(without_container(text.splitlines()))


def last_python_exception(text: str) -> tuple[str, str]:
    """Return (type, first line of the message) of the exception that escaped.

    Both are '' when no traceback is there. Of a program's output nobody knows where a message of several
    lines ends.
    """
    trace = python.parse(without_container(text.splitlines()))
    return (trace.exception_type, trace.message.split("\n", 1)[0]) if trace else ("", "")
