"""What Rails writes of an exception: class and message (``KeyError (no):``), source lines, then the calls.

All lines but those that follow an empty one within the text carry the request's tags. An exception with
causes is told in two ways. Rails 7.1 names them below the message and prints one backtrace::

    KeyError (no):

    Causes:
    IndexError (none)

    app/models/order.rb:10:in 'Order#charge'

Rails 8 sums the chain up (``KeyError (no)``, ``Caused by: IndexError (none)``) and then prints each with its
calls, ``Information for: KeyError (no):`` and ``Information for cause: IndexError (none):``. Calls of
templates have no function.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ai_ops.core.logline import begins_record, split_prefix
from ai_ops.core.stacktrace import ruby
from ai_ops.core.stacktrace.model import LineReader, ParsedTrace, Verdict, clip, graft
from ai_ops.core.stacktrace.reader import bare
from ai_ops.flow.event import Frame

NAME = ruby.NAME
_TOLD_APART = "Information for: "
_TEMPLATES = ("erb", "haml", "slim", "jbuilder", "builder", "rabl", "axlsx", "prawn", "arb", "ruby")
_CLASSES = ("Error", "Exception", "::")
NEEDLES = (*_CLASSES, _TOLD_APART)
MARKS = (*ruby.MARKS, _TOLD_APART, *(f".{kind}:" for kind in _TEMPLATES))

_TAGS = r"(?:\[[^\[\]\n]{1,120}\] ){0,8}"
_NAMED = rf"(?!Traceback )(?P<type>{ruby.CONSTANT}) \((?P<message>.*)"
_HEAD = re.compile(rf"(?:\A|(?<=\s))(?P<tags>{_TAGS}){_NAMED}\):\s*\Z")
_OPENED = re.compile(rf"(?P<tags>{_TAGS}){_NAMED}")
# What ActiveJob says before an exception.
_PERFORMED = re.compile(r"Error performing [^(]{1,200} \(Job ID: .{1,300}? in \d{1,12}(?:\.\d{1,9})?ms: ")
_SOURCE = re.compile(r"\s{2,}\d{1,7}: ")
_IS_ERROR = re.compile(r"::|(?:Error|Exception)\Z")
_TOLD = re.compile(rf"Information for(?: cause)?: {_NAMED}")
_SUMMED_UP = re.compile(rf"(?P<tags>{_TAGS})(?P<cause>Caused by: )?{_NAMED}")
_TAGGED = re.compile(_TAGS)
_TEMPLATE = re.compile(
    rf"\s*(?P<file>[\w.+@-]{{0,99}}/[\w./+@-]{{1,400}}\.(?:{'|'.join(_TEMPLATES)})):(?P<line>\d{{1,9}})\Z"
)
_OF_APP = re.compile(r"\s*(?:/[\w./+@-]{1,400}/)?app/")
_CAUSES = "Causes:"
_END_OF_HEAD = "  "  # between an exception and its calls
_LINE_CHARS = 4096
_MESSAGE_LINES = 32
_HEAD_LINES = 16
"""So far above its calls an exception is looked for: lines of source stand between."""


def start(line: str) -> int | None:
    """Return the column where an exception may be told from on this line, with its tags, or None."""
    head = line[:2048]
    if told := _TOLD.match(head) if head.startswith(_TOLD_APART) else None:
        return 0 if _ends_head(head) or _is_error(told) else None
    found = _head(head) if any(name in head for name in _CLASSES) else None
    return found.start() if found else None


def is_frame(line: str) -> bool:
    """Return whether a line is the call of an application's template. Others show only below an exception."""
    return _OF_APP.match(line) is not None and frame_of(line) is not None and not ruby.is_frame(line)


def is_tagged_frame(line: str, after: str) -> bool:
    """Return whether a line is a call of the request whose tags ``after`` carries too."""
    tags = _tags_of(line)
    return bool(tags) and tags in after and frame_of(line[len(tags) :]) is not None


def leads(head: str, following: str, between: str) -> bool:
    """Return whether a line names an exception because of one that follows.

    That is a call or, for a class that is called as errors are, the announcement of causes. ``between`` is
    empty but for the tags, or not there.
    """
    named = _HEAD.match(head) if _ends_head(head) else None
    if named is None or between.strip() not in ("", named["tags"].strip()):
        return False
    return (following == _CAUSES and _is_error(named)) or (
        following.startswith(named["tags"]) and ruby.is_frame(following[len(named["tags"]) :])
    )


def sums_up(line: str, after: str) -> bool:
    """Return whether a line goes on to sum up a chain of exceptions that ``after`` begins.

    ``after`` is a line of trouble that says nothing at all, or names the exception.
    """
    found = _SUMMED_UP.match(line)
    if found is None:
        return False
    said = split_prefix(after)[1]
    is_silent = not said[len(_tags_of(said)) :].strip() and (line.rstrip().endswith(")") or _is_error(found))
    return is_silent or (found["cause"] is not None and _SUMMED_UP.match(said) is not None)


def is_untagged(line: str) -> bool:
    """Return whether Rails writes this line without the tags of the others."""
    return line == _CAUSES or _TOLD.match(line) is not None


def _ends_head(line: str) -> bool:
    return line.rstrip().endswith("):")


def _head(line: str) -> re.Match[str] | None:
    """Return the exception that a line names whole."""
    if not _ends_head(line):  # said first, as the pattern would look for the end from each class
        return None
    performed = _PERFORMED.search(line)
    return _HEAD.search(line, performed.end() if performed else 0)


def _is_error(named: re.Match[str]) -> bool:
    """Whether a class is called as errors are."""
    return _IS_ERROR.search(named["type"]) is not None


def frame_of(line: str) -> Frame | None:
    """Return the call that a line names, in Ruby or in a template."""
    found = _TEMPLATE.match(line.rstrip()) if "/" in line else None
    return ruby.frame_at(found["file"], found["line"]) if found else ruby.frame_of(line)


def reader(first: str) -> LineReader:
    """Return the reader of an exception that begins with this line."""
    return Reader(first)


class Reader:
    """Takes message, causes and calls. Where the first line has no tags, the first call tells them."""

    def __init__(self, first: str) -> None:
        self._tags = _tags_of(first)
        self._in_head = True
        self._seen_call = False
        self._names_causes = False

    def step(self, line: str) -> Verdict:
        """Take one line without its envelope."""
        text = self.untagged(line)
        if frame_of(text):
            self._tags = self._tags or _tags_of(line)
            self._in_head, self._seen_call = False, True
            return Verdict.BELONGS
        if self._in_head and text == _END_OF_HEAD:
            self._in_head = False
            return Verdict.BELONGS
        if self._in_head and line == _CAUSES:
            self._names_causes = True
            return Verdict.BELONGS
        if self._in_head and self._names_causes and _OPENED.match(text):
            return Verdict.BELONGS
        if _TOLD.match(line) and not line.startswith(_TOLD_APART):
            self._in_head, self._seen_call = True, False
            return Verdict.BELONGS
        waits = self._in_head or not text.strip() or (not self._seen_call and text[:1].isspace())
        return Verdict.MAYBE if waits and not begins_record(line) else Verdict.FOREIGN

    def untagged(self, line: str) -> str:
        """Return the line without the request's tags; those of a line that was trimmed end with no blank."""
        tags = self._tags or _tags_of(line)
        return "" if line == tags.rstrip() else line.removeprefix(tags)


def _tags_of(line: str) -> str:
    found = _TAGGED.match(line)
    return found[0] if found else ""


@dataclass(slots=True)
class _Told:
    """One exception: its calls innermost first."""

    type: str
    message: str
    frames: list[Frame] = field(default_factory=list)


def parse(lines: list[str]) -> ParsedTrace | None:
    """Return the exception that Rails wrote into a record, or None when it wrote none."""
    lines = bare([line[:_LINE_CHARS] for line in lines], start, lambda line: _call(line) is not None)
    found = _told_apart(lines) or _told_together(lines)
    if found is None:
        return None
    header, told = found
    path: tuple[Frame, ...] = ()
    for one in told:
        inner = tuple(one.frames[::-1])
        # Calls of one template are told apart by their lines alone.
        shared = path.index(inner[0]) if inner and inner[0] in path else None
        path = clip(graft(path, inner) if shared is None else path[:shared] + inner)
    first, *causes = told
    return ParsedTrace(NAME, first.type, first.message, path, tuple(one.type for one in causes), header)


def _told_apart(lines: list[str]) -> tuple[str, list[_Told]] | None:
    """Return the text above and each exception of a chain, as Rails 8 tells them."""
    told: list[_Told] = []
    begin = 0
    for at, line in enumerate(lines):
        if found := _TOLD.match(line):
            begin = begin if told else at
            told.append(_Told(found["type"], _message(lines, at, found["message"])))
        elif told and (frame := _call(line)):
            told[-1].frames.append(frame)
    begin = next((at for at, line in enumerate(lines[:begin]) if _SUMMED_UP.match(line)), begin)
    return ("\n".join(lines[:begin]).strip(), told) if told else None


def _told_together(lines: list[str]) -> tuple[str, list[_Told]] | None:
    """Return the text above, the exception with all calls, and the causes that are only named."""
    calls = next((at for at, line in enumerate(lines) if _call(line)), None)
    if calls is None or ruby.start(lines[calls]) is not None:
        return None
    below = lines.index(_CAUSES) if _CAUSES in lines[:calls] else calls
    named = _named_above(lines, below)
    if named is None:
        return None
    at, column, told = named
    told.frames += [frame for line in lines[calls:] if (frame := _call(line))]
    causes = (_OPENED.match(line) for line in lines[below + 1 : calls])
    header = "\n".join([*lines[:at], lines[at][:column]]).strip()
    return header, [told, *(_Told(cause["type"], "") for cause in causes if cause)]


def _named_above(lines: list[str], below: int) -> tuple[int, int, _Told] | None:
    """Return the exception that is named nearest above a line: its line, the column there, and itself.

    None where Ruby's own words are nearer. Lines of source may say anything.
    """
    for at in range(below - 1, max(-1, below - 1 - _HEAD_LINES), -1):
        line = lines[at]
        if found := _head(line):
            told = _Told(found["type"], found["message"])
            return (at, found.start(), told) if ruby.start(line[: found.start()]) is None else None
        if _ends_head(line):
            return _opened_above(lines, at)
        is_source = _SOURCE.match(line[len(_tags_of(line)) :]) is not None
        if not is_source and (ruby.names_error(line) or ruby.start(line) is not None):
            return None
    return None


def _opened_above(lines: list[str], end: int) -> tuple[int, int, _Told] | None:
    """Return the exception whose message ends on a line and begins on one above, as ``_named_above`` does."""
    for at in range(end - 1, max(-1, end - _MESSAGE_LINES), -1):
        prefix, said = split_prefix(lines[at])
        if found := _OPENED.match(said):
            message = "\n".join([found["message"], *lines[at + 1 : end + 1]])
            return at, len(prefix), _Told(found["type"], message.rstrip().removesuffix("):"))
    return None


def _message(lines: list[str], at: int, said: str) -> str:
    """Return the message that begins on a line with ``said``, up to the last bracket that may end it."""
    message = [said]
    for line in lines[at + 1 : at + 1 + _MESSAGE_LINES]:
        text = line[len(_tags_of(line)) :]
        if text == _END_OF_HEAD or _TOLD.match(line) or _call(line):
            break
        message.append(line)
    ends = [number for number, line in enumerate(message, 1) if _ends_head(line) and not _SOURCE.match(line)]
    return "\n".join(message[: ends[-1]]).rstrip().removesuffix("):") if ends else said


def _call(line: str) -> Frame | None:
    """Return the call on a line, with or without tags."""
    return frame_of(line) or frame_of(line[len(_tags_of(line)) :])
