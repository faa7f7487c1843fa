"""Ruby's backtraces: the interpreter's own and those of ``Logger``.

The interpreter names place, message and class in one line (``a.rb:3:in `f': no (KeyError)``), ``Logger``
message and class. Calls follow, innermost first; a cause is printed below the exception that it led to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ai_ops.core.logline import begins_record, split_prefix
from ai_ops.core.stacktrace.model import LineReader, ParsedTrace, Verdict, clip, graft
from ai_ops.core.stacktrace.reader import bare
from ai_ops.flow.event import Frame

NAME = "ruby"
NEEDLES = (".rb:", ":in `", ":in '", "Traceback (most recent call last):")
MARKS = (":in `", ":in '", ".rb:")

CONSTANT = r"[A-Z]\w{0,80}(?:::[A-Z]\w{0,80}){0,8}"
_WHERE = (
    r"(?P<file>(?:[A-Za-z]:)?[^\s:`'\"(\[{][^:\n`'\"]{0,500}+|\(eval[^)\n]{0,300}\)|<internal:[^>\n]{1,200}>)"
    r":(?P<line>\d{1,9})"
)
_PLACE = rf"{_WHERE}:in [`'](?P<function>[^'\n]{{1,300}})'"
_FRAME = re.compile(rf"\s*(?:\d{{1,5}}: )?(?:from )?{_PLACE}\s*\Z")
_HEAD = re.compile(rf"(?:\A|(?<=\s)){_PLACE}: (?P<message>.*)")
_AFTER_FILE = re.compile(r":\d{1,9}:(?:in [`']| syntax error)")
_LONGEST_FILE = 512
_KIND = re.compile(rf"(?P<message>.*?)\((?P<type>{CONSTANT})\)\s*\Z")
_SYNTAX = re.compile(rf"(?:\A|(?<=\s)){_WHERE}: (?P<message>syntax error.*)")
_INSPECTED = re.compile(rf"#<(?P<type>{CONSTANT}): (?P<message>.*)>\s*\Z")
_NAMED = re.compile(rf"(?P<type>{CONSTANT}): (?P<message>.*)")
_REPEATED = re.compile(r"\s+\.\.\. \d{1,9} levels\.\.\.|\s+(?:\||\^~*|\^+|~+(?:\^~*)?)\s*\Z")
_REVERSED = "Traceback (most recent call last):"
_OUTSIDE = re.compile(
    r"/gems/|/rubygems/|/lib/ruby/|/ruby/\d|/rubies/|/vendor/bundle/|\A<internal:|\A/usr/bin/|\Abin/(?:rails|rake|bundle)"
)


def start(line: str) -> int | None:
    """Return the column where a backtrace may begin on this line, or None."""
    head = line[:2048]
    if _REVERSED in head:
        return head.index(_REVERSED)
    found = _placed(head)
    return found.start() if found else None


def _placed(line: str) -> re.Match[str] | None:
    """Return the error that a line names behind its place, at once or as a syntax error.

    A path may hold blanks, so that it could begin at each of them: it is looked for only near its number.
    """
    number = _AFTER_FILE.search(line) if ":in " in line or ".rb:" in line else None
    if not number:
        return None
    begin = max(0, number.start() - _LONGEST_FILE)
    return _HEAD.search(line, begin) or _SYNTAX.search(line, begin)


def is_frame(line: str) -> bool:
    """Return whether a line is a call."""
    return ":in " in line and _FRAME.match(line) is not None


def names_error(line: str) -> bool:
    """Return whether a line says an exception's class as ``Logger`` does, before or behind its message."""
    return _named(line, split_prefix(line)[1]) is not None


def reader(first: str) -> LineReader:
    """Return the reader of a backtrace that begins with this line."""
    return _Reader(first)


class _Reader:
    """Takes a backtrace with its causes; any other crash below it is a record of its own.

    What has a cause was raised while that was rescued, and its calls say so. And no error is its own cause.
    """

    def __init__(self, first: str) -> None:
        self._in_message = True
        found = _placed(first[:2048])
        self._told = {found.group()} if found else set()
        # Printed the other way round, an error stands below its cause.
        self._may_have_cause = _REVERSED in first or _handles(first[:2048])

    def step(self, line: str) -> Verdict:
        """Take one line without its envelope."""
        if is_frame(line) or _REPEATED.match(line):
            self._in_message = False
            self._may_have_cause = self._may_have_cause or _handles(line)
            return Verdict.BELONGS
        if not self._in_message and ":in " in line and (found := _HEAD.match(line[:2048])):
            if found.group() in self._told or not self._may_have_cause:
                return Verdict.FOREIGN
            self._told.add(found.group())
            self._in_message = True
            return Verdict.BELONGS
        waits = self._in_message or not line.strip()
        return Verdict.MAYBE if waits and not begins_record(line) else Verdict.FOREIGN


def _handles(line: str) -> bool:
    """Whether a call handles an error, or is hidden among many."""
    return "rescue in " in line or "ensure in " in line or "levels..." in line


@dataclass(slots=True)
class _Printed:
    """One exception as printed: frames innermost first."""

    type: str
    message: str
    frames: list[Frame] = field(default_factory=list)


def parse(lines: list[str]) -> ParsedTrace | None:
    """Return the backtrace in a record, or None when it holds none of Ruby's."""
    lines = bare(lines, start, is_frame)
    printed: list[_Printed] = []
    header = ""
    reverse = any(line.endswith(_REVERSED) for line in lines) and any(map(_is_reversed, lines))
    waiting: list[Frame] = []
    for at, line in enumerate(lines):
        if frame := frame_of(line):
            (waiting if reverse or not printed else printed[-1].frames).append(frame)
            if not printed and not reverse:
                one, header = _above(lines[:at])
                printed.append(_Printed(one.type, one.message, waiting))
        elif opened := _opened(lines, at):
            header = header if printed else "\n".join([*lines[:at], line[: opened[1]]]).strip()
            opened[0].frames += waiting[::-1]
            waiting = []
            printed.append(opened[0])
    if not printed:
        return None
    if reverse:
        printed.reverse()
    path: tuple[Frame, ...] = ()
    for one in printed:
        path = clip(graft(path, tuple(one.frames[::-1])))
    return ParsedTrace(
        NAME, printed[0].type, printed[0].message, path, tuple(one.type for one in printed[1:]), header
    )


def _is_reversed(line: str) -> bool:
    return re.match(r"\s+\d{1,5}: from ", line) is not None


def _opened(lines: list[str], at: int) -> tuple[_Printed, int] | None:
    """Return the exception whose own line this is, and the column where it begins."""
    line = lines[at][:4096]
    found = _placed(line)
    if found is None:
        return None
    if found.re is _SYNTAX:
        place = frame_at(found["file"], found["line"], "<main>")
        return _Printed("SyntaxError", found["message"], [place]), found.start()
    kind, message = "", found["message"]
    # The class stands behind the first line of the message, or behind its last one.
    for more in (message, *lines[at + 1 : at + 9]):
        if (named := _KIND.match(more[:4096])) and (more is message or not kind):
            kind, message = named["type"], named["message"].strip() if more is message else message
            break
    own = frame_at(found["file"], found["line"], found["function"])
    return _Printed(kind, message.strip(), [own]), found.start()


def _above(lines: list[str]) -> tuple[_Printed, str]:
    """Return the exception named above the first call, and the log text before it."""
    for at in range(len(lines) - 1, max(-1, len(lines) - 9), -1):
        line = lines[at][:4096]
        prefix, message = split_prefix(line)
        if named := _named(line, message):
            said = named["message"].strip()
            if at and not prefix and _KIND.fullmatch(message):  # the message began on a line above
                said = split_prefix(lines[at - 1])[1].strip() or said
            return _Printed(named["type"], said), "\n".join([*lines[:at], prefix]).strip()
    return _Printed("", ""), "\n".join(lines).strip()


def _named(line: str, message: str) -> re.Match[str] | None:
    return _INSPECTED.search(line) or _KIND.fullmatch(message) or _NAMED.match(message)


def frame_of(line: str) -> Frame | None:
    """Return the call that a line names."""
    found = _FRAME.match(line) if ":in " in line else None
    return frame_at(found["file"], found["line"], found["function"]) if found else None


def frame_at(file: str, line: str, function: str = "") -> Frame:
    """Return the call at a place in a Ruby program."""
    return Frame(file, int(line), function, in_app=_OUTSIDE.search(file) is None)
