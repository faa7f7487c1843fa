"""Stacks of JavaScript and TypeScript: Node, Deno, Chrome, and Firefox and Safari with their ``f@url:1:2``.

The error stands first, the innermost call on top. Node prints an error's own fields in braces behind
the last frame; its cause and the errors of an ``AggregateError`` are among them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ai_ops.core.logline import begins_record, behind_time
from ai_ops.core.stacktrace.model import LineReader, ParsedTrace, Verdict, clip, graft
from ai_ops.core.stacktrace.reader import bare
from ai_ops.flow.event import Frame

NAME = "javascript"
NEEDLES = ("Error", "Exception", "Rejection")
MARKS = ("at ", "@")

_KIND = r"(?:[A-Za-z_$][\w$.]{0,100}?)?(?:Error|Exception|Rejection)"
_HEAD = re.compile(
    rf"(?:\A\s*|(?<=[:\])|>-])\s+|(?<=Uncaught)\s|(?<=\(in promise\))\s)"
    rf"\[?(?P<type>{_KIND})(?: \[[A-Z]\w{{0,60}}\])?(?::(?=\s|\Z)|(?=\s*(?:[\[{{]\s*)?\Z))(?P<message>.*)"
)
# ``console.error('order 7 failed', error)`` puts the error behind words, with one blank between; that counts
# where no other line names one. A bare Error behind a word that begins large is none: ``Server Error: …`` and
# ``Mean Squared Error: 0.02`` are headings.
_HEAD_BEHIND_WORDS = re.compile(
    r"(?:(?<=[\w.)\"'])[ ](?!Error|Exception)|(?<!\S)[^\sA-Z]\S{0,100}(?<=[\w.)\"'])[ ](?=Error|Exception))"
    r"(?P<type>(?:[A-Z][\w$]{0,100}?)?(?:Error|Exception))(?: \[[A-Z]\w{0,60}\])?: (?P<message>.*)"
)
_OWN_NAME = re.compile(
    r"\s*(?:Uncaught (?:\(in promise\) )?)?([A-Z][\w$]{0,100})(?: \[[A-Z]\w{0,60}\])?(?:: (.*)|\s*\Z)"
)
_V8 = re.compile(
    r"\s*at (?:(?P<call>[^()\n]{1,300}?) \((?P<inside>[^\n]{1,2048})\)|(?P<place>[^\s()][^\n()]{0,2047}?))"
    r"(?P<open>,| [{\[])?(?<!\s)\s*\Z"
)
_PLACE = re.compile(r"(.{1,2000}?):(\d{1,9}):(\d{1,9})\Z")
_NOWHERE = re.compile(r"<anonymous>|native|index \d{1,9}|eval at |unknown location")
_GECKO = re.compile(
    r"\s*([^@\s(][^@\n]{0,300})?@((?:[a-z][a-z-]{1,30}:|/)[^\s\n]{1,2000}?):(\d{1,9}):(\d{1,9})\s*\Z"
)
_LINK = re.compile(
    rf"\s*(?:\[?(?P<role>cause|errors)\]?: (?P<list>\[)?)?\[?(?P<type>{_KIND})(?: \[[A-Z]\w{{0,60}}\])?"
    r"(?::\s(?P<message>.*))?(?:\s?[{\[])?\s*\Z"
)
_ERRORS = re.compile(r"\s+\[?errors\]?: \[\s*\Z")
_ELIDED = re.compile(r"\s+\.\.\. (?:\d{1,6} (?:lines matching|more)|\d{1,6} more items)")
_NODE = re.compile(r"Node\.js v\d+\.\d")
_QUOTED_PLACE = re.compile(r"((?:file://)?/[^\n:]{1,1024}|[A-Za-z]:\\[^\n:]{1,1024}):(\d{1,9})\s*\Z")
_OUTSIDE = re.compile(
    r"node_modules[/\\]|\Anode:|\Ainternal[/\\]|\A(?:<anonymous>|native)|webpack/(?:bootstrap|runtime)|\Aext:|-extension:"
    r"|\A_?(?:assert|async_hooks|bootstrap_node|buffer|child_process|dgram|dns|domain|events|fs|http|https|module|net|node"
    r"|readline|repl|stream|timers|tls|util|vm|zlib)(?:_\w{1,30})?\.js\Z"
)
_HOST = re.compile(
    r"(?:https?|app|capacitor|ionic|blob:https?)://[^/]{0,255}|file://|webpack(?:-internal)?://[^/]{0,100}/"
)


def start(line: str) -> int | None:
    """Return the column where an error's own line may begin here, or None."""
    found = _HEAD.search(line[:2048]) or _HEAD_BEHIND_WORDS.search(line[:2048])
    return found.start("type") if found else None


def is_frame(line: str) -> bool:
    """Return whether a line is a frame."""
    return frame_of(line) is not None


def reader(first: str) -> LineReader:
    """Return the reader of a stack that begins with this line."""
    return _Reader(first)


class _Reader:
    def __init__(self, first: str) -> None:
        self._in_message = not is_frame(first)
        self._in_fields = first.rstrip().endswith("] {")
        self._indent = len(first) - len(first.lstrip())

    def step(self, line: str) -> Verdict:
        """Take one line without its envelope."""
        if is_frame(line):
            self._in_message = False
            self._in_fields = self._in_fields or line.rstrip().endswith(" {")
            return Verdict.BELONGS
        if self._in_fields:
            return self._field(line)
        if not self._in_message and (_NODE.match(line) or _ELIDED.match(line)):
            return Verdict.BELONGS
        waits = self._in_message or not line.strip()
        return Verdict.MAYBE if waits and not begins_record(line) else Verdict.FOREIGN

    def _field(self, line: str) -> Verdict:
        depth = len(line) - len(line.lstrip())
        if line.lstrip()[:1] == "}" and depth <= self._indent:
            self._in_fields = False
            return Verdict.BELONGS
        if depth > self._indent:
            return Verdict.BELONGS
        return Verdict.FOREIGN if begins_record(line) else Verdict.MAYBE


@dataclass(slots=True)
class _Printed:
    """One error as printed: frames innermost first; ``member`` of an AggregateError."""

    type: str
    message: str
    member: bool = False
    frames: list[Frame] = field(default_factory=list)


def parse(lines: list[str]) -> ParsedTrace | None:
    """Return the stack in a record, or None when it holds no frame."""
    lines = bare(lines, start, is_frame)
    first = next((at for at, line in enumerate(lines) if is_frame(line)), None)
    if first is None:
        return None
    head, header = _head(lines[:first])
    printed, in_errors = [head], head.type == "AggregateError" and any(map(_ERRORS.match, lines[:first]))
    if in_errors:
        printed += _members_above(lines[:first])
    for line in lines[first:]:
        frame = frame_of(line)
        if frame:
            printed[-1].frames.append(frame)
        elif _ERRORS.match(line):
            in_errors = True
        elif line[:1].isspace() and (found := _LINK.match(line[:4096])):
            printed.append(_Printed(found["type"], (found["message"] or "").strip(), in_errors))
    path = _path(printed) or _quoted(lines[:first])
    return ParsedTrace(NAME, head.type, head.message, path, tuple(one.type for one in printed[1:]), header)


def _path(printed: list[_Printed]) -> tuple[Frame, ...]:
    """Return the frames, outermost first, down to the last cause or to the first of several errors."""
    path: tuple[Frame, ...] = ()
    for one in printed:
        path = clip(graft(path, tuple(one.frames[::-1])))
        if one.member:
            break
    return path


def _members_above(lines: list[str]) -> list[_Printed]:
    links = [found for line in lines[-1:] if (found := _LINK.match(line[:4096]))]
    return [_Printed(found["type"], (found["message"] or "").strip(), member=True) for found in links]


def _head(lines: list[str]) -> tuple[_Printed, str]:
    """Return the error named nearest above the first frame, and the log text before it."""
    above = next((at for at, line in enumerate(lines) if _ERRORS.match(line)), len(lines))
    near = range(above - 1, max(-1, above - 33), -1)
    for head in (_HEAD, _HEAD_BEHIND_WORDS):
        for at in near:
            if found := head.search(lines[at][:4096]):
                message = found["message"].strip().removesuffix("] {").strip()
                return _Printed(found["type"], message), _above(lines[:at], lines[at][: found.start("type")])
    own = _OWN_NAME.match(lines[-1], behind_time(lines[-1])) if lines else None
    if own:
        return _Printed(own[1], (own[2] or "").strip()), _above(lines[:-1], lines[-1][: own.start(1)])
    return _Printed("", ""), _above(lines, "")


def _above(lines: list[str], inline: str) -> str:
    return "\n".join([*lines, inline]).strip()


def _quoted(lines: list[str]) -> tuple[Frame, ...]:
    """Return the place that Node quotes above an error that has no frames of its own."""
    found = next((found for line in lines if (found := _QUOTED_PLACE.match(line))), None)
    return (_frame("", found.group(1), int(found.group(2))),) if found else ()


def frame_of(line: str) -> Frame | None:
    """Return the frame that a line of a stack names."""
    if line.lstrip()[:3] == "at ":
        found = _V8.match(line)
        return _v8(found) if found else None
    if "@" not in line:
        return None
    found = _GECKO.match(line)
    return _frame(found.group(1) or "", found.group(2), int(found.group(3))) if found else None


def _v8(found: re.Match[str]) -> Frame | None:
    call, place = found["call"] or "", found["inside"] or found["place"]
    if not found["call"]:
        call, place = ("", place) if not place.startswith("async ") else ("", place[6:])
    at = _PLACE.match(place)
    if at and not place.startswith("eval at "):
        return _frame(call, at.group(1), int(at.group(2)))
    if found["call"] and _NOWHERE.match(place):
        return _frame(call, "<anonymous>" if place[:5] != "eval " else "<eval>", 0)
    return None


def _frame(call: str, file: str, line: int) -> Frame:
    name = re.sub(r" \[as [^\]]{0,100}\]\Z", "", call.removeprefix("async "))
    outside = _OUTSIDE.search(file) is not None
    file = re.sub(r"[?#][^/\\]{0,200}\Z", "", _HOST.sub("", file, count=1)).removeprefix("./")
    return Frame(file, line, name or "<anonymous>", in_app=not outside)
