"""Dart and Flutter: an uncaught exception, and its numbered calls with the innermost on top."""

from __future__ import annotations

import re

from ai_ops.core.stacktrace.model import LineReader, ParsedTrace, clip
from ai_ops.core.stacktrace.reader import MessageThenFrames, Part, bare
from ai_ops.flow.event import Frame

NAME = "dart"
NEEDLES = ("nhandled exception:", "nhandled Exception:")
MARKS = ("(dart:", "(package:", "(file:", "(http", "(org-dartlang")

_HEAD = re.compile(r"[Uu]nhandled [Ee]xception:\s?(?P<said>.*)")
_FRAME = re.compile(
    r"#\d{1,6}\s{2,8}(?P<call>[^\n(]{1,500}?) "
    r"\((?P<file>(?:file|dart|package|https?|org-dartlang-sdk)[^\n]{0,1000}?)"
    r"(?::(?P<line>\d{1,9}))?(?::\d{1,9})?\)\s*\Z"
)
_PAUSE = "<asynchronous suspension>"
_KIND = re.compile(r"(?P<type>_?[A-Z]\w{0,100})(?: \([^)\n]{0,100}\))?(?:: (?P<message>.*)|\s*\Z)", re.DOTALL)
# Errors of the core library that do not print their names.
_PHRASES = {
    "Bad state": "StateError",
    "Invalid argument": "ArgumentError",
    "Unsupported operation": "UnsupportedError",
    "Concurrent modification": "ConcurrentModificationError",
    "Null check operator": "TypeError",
    "type '": "TypeError",
    "Stack Overflow": "StackOverflowError",
    "Out of Memory": "OutOfMemoryError",
    "'": "AssertionError",
}
_OUTSIDE = (
    "dart:",
    "package:flutter/",
    "package:flutter_",
    "package:async/",
    "package:http/",
    "org-dartlang-sdk:",
    "package:stack_trace/",
)


def start(line: str) -> int | None:
    """Return the column where an uncaught exception begins on this line, or None."""
    found = _HEAD.search(line[:2048])
    return found.start() if found else None


def is_frame(line: str) -> bool:
    """Return whether a line is a call."""
    return line[:1] == "#" and _FRAME.match(line) is not None


def reader(first: str) -> LineReader:
    """Return the reader of an exception that begins with this line."""
    return MessageThenFrames(_part_of, in_message=not is_frame(first), owed=first.rstrip().endswith(":"))


def _part_of(line: str) -> Part | None:
    return Part.FRAME if is_frame(line) or line.rstrip() == _PAUSE else None


def parse(lines: list[str]) -> ParsedTrace | None:
    """Return the exception in a record, or None when it holds no call of Dart."""
    lines = bare(lines, start, is_frame)
    first = next((at for at, line in enumerate(lines) if is_frame(line)), None)
    if first is None:
        return None
    frames = clip([frame for line in lines[first:] if (frame := frame_of(line))][::-1])
    at = next((at for at in range(first - 1, -1, -1) if _HEAD.search(lines[at][:4096])), None)
    if at is None:
        kind, message = _named(lines[first - 1] if first else "")
        return ParsedTrace(NAME, kind, message, frames, (), "\n".join(lines[:first]).strip())
    found = _HEAD.search(lines[at][:4096])
    said = found["said"] if found else ""
    kind, message = _named("\n".join([said, *lines[at + 1 : first]]).strip())
    above = "\n".join([*lines[:at], lines[at][: found.start() if found else 0]]).strip()
    return ParsedTrace(NAME, kind, message, frames, (), above)


def _named(said: str) -> tuple[str, str]:
    """Return (type, message) of what an exception says of itself."""
    for phrase, kind in _PHRASES.items():
        if said.startswith(phrase):
            return kind, said
    found = _KIND.match(said)
    return (found["type"], (found["message"] or "").strip()) if found else ("", said)


def frame_of(line: str) -> Frame | None:
    """Return the call that a line names."""
    found = _FRAME.match(line) if line[:1] == "#" else None
    if not found:
        return None
    file = found["file"]
    outside = file.startswith(_OUTSIDE)
    return Frame(
        file.removeprefix("file://"), int(found["line"] or 0), found["call"].strip(), in_app=not outside
    )
