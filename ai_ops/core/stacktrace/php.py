"""PHP: uncaught exceptions, fatal and parse errors, exceptions printed as text, and Monolog's.

The oldest exception stands first and ``Next`` brings the one that it led to, so the last has escaped. A call
``#0 /a.php(9): f()`` says where ``f`` was called from; the exception's own line says where it was thrown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from ai_ops.core.logline import begins_record
from ai_ops.core.stacktrace.model import LineReader, ParsedTrace, Verdict, clip, graft
from ai_ops.core.stacktrace.reader import bare
from ai_ops.flow.event import Frame

NAME = "php"
NEEDLES = (
    " error: ",
    "exception '",
    "[object] (",
    "PHP Exception",
    ".php:",
    "Error: ",
    "Exception: ",
)
MARKS = (
    " error: ",
    "xception '",
    "[object] (",
    "PHP Exception",
    " in ",
)

_CLASS = r"[A-Za-z_\\][\w\\]{0,200}(?:@anonymous)?"
_FATAL = re.compile(
    r"(?:PHP )?(?P<word>Fatal|(?:Recoverable|Catchable) fatal|Parse|Compile) error:\s{1,3}(?P<rest>.*)"
)
_OLD = re.compile(rf"[Ee]xception '(?P<type>{_CLASS})' with message '(?P<message>.*)")
_OBJECT = re.compile(rf"\[object\] \((?P<type>{_CLASS})\(code: [^)\n]{{0,40}}\): (?P<message>.*)")
_SYMFONY = re.compile(rf'Uncaught PHP Exception (?P<type>{_CLASS}): "')
_SYMFONY_PLACE = re.compile(r'" at (?P<file>\S{1,1000}) line (?P<line>\d{1,9})')
_NEXT = re.compile(
    rf"Next (?P<type>{_CLASS}): (?P<message>.*)|Next exception '(?P<old>{_CLASS})' with message '(?P<said>.*)"
)
_UNCAUGHT = re.compile(rf"Uncaught (?:exception ')?(?P<type>{_CLASS})(?:: |' with message ')(?P<message>.*)")
_PRINTED = re.compile(rf"(?:\A|(?<=[\s\]:]))(?P<type>{_CLASS}(?:Error|Exception)|Error|Exception): ")
_FILE = re.compile(r"(?:[A-Za-z]:)?[/\\\w.~-][^\n:]{0,1000}")
_CLOSING = ") \t\r\n"
_LINE = re.compile(r"\d{1,9}")
_ON_LINE = re.compile(r" on line (\d{1,9})")
_FRAME = re.compile(
    r"#(\d{1,6}) (?:(?P<main>\{main\})|(?P<file>\[internal function\]|[^\n]{1,1000}?)"
    r"(?:\((?P<line>\d{1,9})\))?)(?:: (?P<call>.*)|(?<!\s)\s*)\Z"
)
_BETWEEN = re.compile(
    r"(?:PHP )?Stack trace:|\[stacktrace\]|\[previous exception\]|\s+thrown in .{1,1000} on line \d|\"\} *\Z"
)
# Each letter can be read in one way only: a "{" is a closure's or it is not.
_CALL = re.compile(r"((?:\{closure[^}\n]{0,300}\}|\{(?!closure)|[^({\n]){1,300})\(")


def start(line: str) -> int | None:
    """Return the column where a PHP error may begin on this line, or None."""
    head = line[:4096]
    if found := _FATAL.search(head) or _OLD.search(head) or _OBJECT.search(head):
        return found.start()
    opened = _symfony(head) or _printed(head)
    return opened[1] if opened else None


def is_frame(line: str) -> bool:
    """Return whether a line is a call."""
    return line[:1] == "#" and frame_of(line) is not None


def reader(first: str) -> LineReader:
    """Return the reader of an error that begins with this line."""
    return _Reader()


class _Reader:
    def __init__(self) -> None:
        self._in_message = True

    def step(self, line: str) -> Verdict:
        """Take one line without its envelope."""
        if is_frame(line) or _BETWEEN.match(line):
            self._in_message = False
            return Verdict.BELONGS
        if _NEXT.match(line[:4096]):
            self._in_message = True
            return Verdict.BELONGS
        if self._in_message and _ends_message(line):
            return Verdict.BELONGS
        waits = self._in_message or not line.strip()
        return Verdict.MAYBE if waits and not begins_record(line) else Verdict.FOREIGN


def _ends_message(line: str) -> bool:
    """Return whether a message ends here, with its place; the next error, told whole in a line, is no end."""
    placed = ".php:" in line and _place(line[:4096].rstrip(_CLOSING))
    return bool(placed) and not (_FATAL.match(line) or _OLD.match(line))


@dataclass(slots=True)
class _Printed:
    """One exception as printed; ``calls`` are (file, line, function called) with the innermost first."""

    type: str
    message: str
    file: str = ""
    line: int = 0
    calls: list[tuple[str, int, str]] = field(default_factory=list)


def parse(lines: list[str]) -> ParsedTrace | None:
    """Return the error in a record, or None when it holds none of PHP's."""
    lines = bare(lines, start, is_frame)
    printed: list[_Printed] = []
    header, newest_first = "", False
    for at, line in enumerate(lines):
        if not printed:
            if opened := _opened(line[:4096]):
                printed.append(opened[0])
                header = "\n".join([*lines[:at], line[: opened[1]]]).strip()
                newest_first = "[object] (" in line
        elif call := _call_of(line):
            printed[-1].calls.append(call)
        elif linked := _linked(line[:4096]):
            printed.append(linked)
        elif (
            not printed[-1].file and not printed[-1].calls and (place := _place(line[:4096].rstrip(_CLOSING)))
        ):
            printed[-1].file, printed[-1].line = place.file, place.line
    if not printed:
        return None
    chain = printed if newest_first else printed[::-1]
    path: tuple[Frame, ...] = ()
    for one in chain:
        path = clip(graft(path, _frames(one)))
    return ParsedTrace(NAME, chain[0].type, chain[0].message, path, tuple(o.type for o in chain[1:]), header)


def _opened(line: str) -> tuple[_Printed, int] | None:
    """Return the exception that a record begins with, and the column of its own line."""
    if found := _FATAL.search(line):
        thrown = _UNCAUGHT.match(found["rest"])
        if thrown:
            return _said(thrown["type"], thrown["message"]), found.start()
        return _fatal(found), found.start()
    for pattern in (_OLD, _OBJECT):
        if found := pattern.search(line):
            return _said(found["type"], found["message"]), found.start()
    return _symfony(line) or (_printed(line) if ".php:" in line else None)


def _symfony(line: str) -> tuple[_Printed, int] | None:
    """Return what Symfony says of an exception, and the column where it begins."""
    found = _SYMFONY.search(line)
    # The message may hold what looks like a place, so the last one counts.
    end = line.rfind('" at ', found.end()) if found else -1
    place = _SYMFONY_PLACE.match(line, end) if end >= 0 else None
    if not found or not place:
        return None
    message = line[found.end() : end]
    return _Printed(found["type"], message, place["file"], int(place["line"])), found.start()


def _printed(line: str) -> tuple[_Printed, int] | None:
    """Return an exception that was printed as text, ``Type: message in /a.php:9``, and its column."""
    place = _place(line, (" in ",)) if ":" in line else None
    found = _PRINTED.search(line, 0, place.start) if place else None
    if not place or not found:
        return None
    return _Printed(found["type"], line[found.end() : place.start], place.file, place.line), found.start()


def _fatal(found: re.Match[str]) -> _Printed:
    kind = "ParseError" if found["word"] == "Parse" else "Fatal error"
    rest = found["rest"]
    first = rest.find(" in ")
    said = _ON_LINE.search(rest, first + len(" in ")) if first >= 0 else None
    if not said:
        return _Printed(kind, rest.strip())
    message, _, file = rest[: said.start()].rpartition(" in ")
    return _Printed(kind, message, file, int(said.group(1)))


def _linked(line: str) -> _Printed | None:
    if found := _NEXT.match(line):
        return _said(found["type"] or found["old"], found["message"] or found["said"] or "")
    found = _OBJECT.search(line) if line.startswith("[previous exception]") else None
    return _said(found["type"], found["message"]) if found else None


def _said(kind: str, message: str) -> _Printed:
    """Take the place off the end of a message; it may stand on a later line instead."""
    place = _place(message.rstrip(_CLOSING))
    if not place:
        return _Printed(kind, message.strip())
    said = message[: place.start].strip().removesuffix("'")
    return _Printed(kind, said, place.file, place.line)


class _Place(NamedTuple):
    """Where an exception was thrown; ``start`` is the column of the word before it."""

    start: int
    file: str
    line: int


def _place(text: str, words: tuple[str, ...] = (" in ", " at ")) -> _Place | None:
    """Return the place that a line ends with: the last ``in /a.php:9``, looked for once, from the end."""
    stem, _, line = text.rstrip().rpartition(":")
    at, word = max((stem.rfind(word), word) for word in words)
    file = stem[at + len(word) :]
    if at < 0 or not _LINE.fullmatch(line) or not _FILE.fullmatch(file):
        return None
    return _Place(at, file, int(line))


def _call_of(line: str) -> tuple[str, int, str] | None:
    found = _FRAME.match(line) if line[:1] == "#" else None
    if not found or found["main"]:
        return None
    call = _CALL.match(found["call"] or "")
    return found["file"], int(found["line"] or 0), call.group(1) if call else (found["call"] or "")


def _frames(one: _Printed) -> tuple[Frame, ...]:
    """Return the frames, outermost first: a call's place belongs to the function that the next one names."""
    places = [(one.file, one.line), *((file, line) for file, line, _ in one.calls)]
    functions = [*(call for _, _, call in one.calls), "{main}"]
    if not one.calls:
        functions = [""]
    pairs = zip(places, functions, strict=True)
    return clip([_frame(file, line, name) for (file, line), name in pairs if file][::-1])


def frame_of(line: str) -> Frame | None:
    """Return the place that a ``#n`` line names, with the function that was called from there."""
    found = _FRAME.match(line)
    if not found:
        return None
    if found["main"]:
        return Frame("", 0, "{main}")
    call = found["call"]
    if call is None and not found["line"]:
        return None
    file = found["file"]
    if file != "[internal function]" and not found["line"]:
        return None
    return _frame(file, int(found["line"] or 0), call or "")


def _frame(file: str, line: int, function: str) -> Frame:
    internal = file == "[internal function]"
    outside = internal or "/vendor/" in file or "\\vendor\\" in file or file.startswith("phar:")
    return Frame("[internal]" if internal else file, line, function, in_app=not outside)
