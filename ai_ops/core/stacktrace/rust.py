"""Rust: panics with and without a backtrace, and the errors with causes that ``anyhow`` and ``eyre`` print.

A panic names its place in the first line and its message in the next ones (before Rust 1.73 both in
one). Without ``RUST_BACKTRACE`` that place is the only frame there is.
"""

from __future__ import annotations

import re

from ai_ops.core.logline import begins_record
from ai_ops.core.stacktrace.model import LineReader, ParsedTrace, Verdict, clip
from ai_ops.core.stacktrace.reader import bare
from ai_ops.flow.event import Frame

NAME = "rust"
NEEDLES = ("panicked at ", "Error: ")
MARKS = ("panicked", "Caused by:", "ack backtrace:", "Location:")

_PLACE = r"(?P<file>[^\s:'][^:\n]{0,1000}):(?P<line>\d{1,9}):\d{1,9}"
_HEAD = re.compile(
    rf"(?:thread '[^'\n]{{0,200}}' (?:\(\d{{1,10}}\) )?|The application )panicked"
    rf"(?: at (?:{_PLACE}:?\s*\Z|'(?P<message>.*)))?"
)
_OLD_END = re.compile(rf"', {_PLACE}\s*\Z")
_ERROR = re.compile(r"(?:\A|(?<=[\s:\]|]))Error: (?P<message>.*)")
_NOTE = re.compile(
    r"note: |[sS]tack backtrace:\s*\Z|Caused by:\s*\Z|Location:\s*\Z|\s{1,4}left: |\s{1,4}right: "
)
_CALL = re.compile(
    r"\s{0,8}(?P<number>\d{1,5}):\s+(?:0x[0-9a-f]{1,16} - )?(?P<name>\S[^\n]{0,2000}?)(?<!\s)\s*\Z"
)
_AT = re.compile(r"\s{4,40}at (?P<file>[^\s:][^:\n]{0,1000}):(?P<line>\d{1,9})(?::\d{1,9})?\s*\Z")
_LOCATION = re.compile(rf"\s{{2,8}}{_PLACE}\s*\Z")
_HASH = re.compile(r"::h[0-9a-f]{16}\Z|\[[0-9a-f]{12,16}\]")
_INSTALLED = re.compile(
    r"\A/rustc/|/\.cargo/|/\.rustup/|\Alibrary/|/library/(?:std|core|alloc|test)/|/vendor/"
)
_RUNTIME = re.compile(
    r"<?(?:std|core|alloc|test|backtrace|backtrace_rs|panic_unwind|__rustc|rust_begin_unwind|_start|__libc|_?main\Z|__rust|tokio"
    r"|anyhow|eyre|color_eyre)\b|__\w"
)


def start(line: str) -> int | None:
    """Return the column where a panic or a printed error may begin on this line, or None."""
    head = line[:2048]
    found = _HEAD.search(head) or _ERROR.search(head)
    return found.start() if found else None


def is_frame(line: str) -> bool:
    """Return whether a line places a call."""
    return _AT.match(line) is not None


def reader(first: str) -> LineReader:
    """Return the reader of a panic that begins with this line."""
    return _Reader(first)


class _Reader:
    def __init__(self, first: str) -> None:
        self._owed = first.rstrip().endswith(":") and _HEAD.search(first[:2048]) is not None
        self._listing = False

    def step(self, line: str) -> Verdict:
        """Take one line without its envelope."""
        # What follows a place is the message, whatever it says.
        owed = self._owed and line.strip() and not begins_record(line)
        if owed or _NOTE.match(line) or is_frame(line) or (self._listing and _listed(line)):
            self._owed = False
            # The causes and calls are numbered lines below a heading.
            self._listing = self._listing or line.rstrip().endswith(("acktrace:", "Caused by:", "Location:"))
            return Verdict.BELONGS
        if begins_record(line) or (self._listing and line.strip()):
            return Verdict.FOREIGN
        return Verdict.MAYBE


def _listed(line: str) -> bool:
    return _CALL.match(line[:4096]) is not None or (line[:4] == "    " and bool(line.strip()))


def parse(lines: list[str]) -> ParsedTrace | None:
    """Return the panic or the printed error in a record, or None when there is neither."""
    lines = bare(lines, start, is_frame)
    for at, line in enumerate(lines):
        if found := _HEAD.search(line[:4096]):
            above = "\n".join([*lines[:at], line[: found.start()]]).strip()
            return _panic(found, lines[at + 1 :], above)
    at = next((at for at, line in enumerate(lines) if _ERROR.search(line[:4096])), -1)
    rest = lines[at + 1 :]
    if at < 0 or not any(line.startswith(("Caused by:", "Stack backtrace:", "Location:")) for line in rest):
        return None
    found = _ERROR.search(lines[at][:4096])
    message = found["message"].strip() if found else ""
    frames = _calls(rest) or tuple(
        _frame("", place["file"], place["line"]) for place in map(_LOCATION.match, rest) if place
    )
    return ParsedTrace(NAME, "Error", message, frames, (), "\n".join(lines[:at]).strip())


def _panic(found: re.Match[str], rest: list[str], above: str) -> ParsedTrace:
    file, line = found["file"] or "", found["line"] or "0"
    if found["message"] is not None:
        message = found["message"]
        for said in (message, "\n".join([message, *rest[:8]])):
            end = said.rfind("', ")
            if end >= 0 and (old := _OLD_END.match(said, end)):
                message, file, line = said[:end], old["file"], old["line"]
                break
    else:
        message = "\n".join(_message(rest))
    frames = _calls(rest)
    if not frames and file:
        frames = (_frame("", file, line),)
    return ParsedTrace(NAME, "panic", message.strip(), frames, (), above)


def _message(rest: list[str]) -> list[str]:
    """Return the lines of a message: up to the note or the backtrace."""
    end = next(
        (n for n, line in enumerate(rest[:64]) if _NOTE.match(line) and not line[:1].isspace()),
        min(len(rest), 64),
    )
    return rest[:end]


def _calls(lines: list[str]) -> tuple[Frame, ...]:
    """Return the calls of a backtrace, outermost first."""
    begin = next(
        (n for n, line in enumerate(lines) if line.strip().lower() == "stack backtrace:"), len(lines)
    )
    found: list[Frame] = []
    for line in lines[begin + 1 :]:
        if call := _CALL.match(line[:4096]):
            found.append(_frame(call["name"], "", "0"))
        elif (place := _AT.match(line)) and found:
            found[-1] = _frame(found[-1].function, place["file"], place["line"])
    return clip(found[::-1])


def _frame(name: str, file: str, line: str) -> Frame:
    name = _HASH.sub("", name)
    outside = _INSTALLED.search(file) is not None or (name != "" and _RUNTIME.match(name) is not None)
    return Frame(file.removeprefix("./"), int(line), name, in_app=not outside)
