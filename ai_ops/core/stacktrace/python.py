"""Python's tracebacks: plain, chained, in groups, and syntax errors.

The interpreter prints the oldest exception first and the one that escaped last. Lines of a group
stand behind a margin of ``|`` and ``+``, deeper for each level.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import takewhile

from ai_ops.core.envelope import without_envelope
from ai_ops.core.logline import begins_record
from ai_ops.core.stacktrace.model import LineReader, ParsedTrace, Raised, Verdict, clip, graft
from ai_ops.flow.event import Frame

NAME = "python"
HEADER = "Traceback (most recent call last):"
NEEDLES = (HEADER, 'File "', "Error", "Exception")
MARKS = (HEADER, 'File "')

_START = re.compile(r"(?:  \+ Exception Group )?Traceback \(most recent call last\):\s*\Z")
_BARE_SYNTAX_ERROR = re.compile(r'\s{0,8}File "[^"]{1,1024}", line \d+\s*\Z')
_FRAME = re.compile(r'\s*File "([^"]{1,4096})", line (\d+)(?:, in (.{1,512}))?')
_EXCEPTION = re.compile(r"([^\W\d][\w.<>]{0,255})(?::(?:\s(.*))?)?\s*\Z", re.DOTALL)
# A cause that was never raised stands above the first header, without frames.
_UNRAISED = re.compile(r"[^\W\d][\w.<>]{0,255}(?:Error|Exception)(?::\s.*)?\s*\Z")
_SAYS_LEVEL = re.compile(r"[A-Z]{3,9}:\s")
# Lines below a message that may well begin trouble of their own.
_TROUBLE = re.compile(r"(?:[\w.$]{0,255}(?:Error|Exception)|panic|fatal error|thread|goroutine|Traceback)\b")
# A program that logs without dates and at any place of a line says its level in capitals.
_LOUD = re.compile(r"\b(?:ERROR|CRITICAL|FATAL|SEVERE)\b")
_TAIL_LINES = 50
_TAIL_CHARS = 8 << 10
_LOUD_CHARS = 200
_LOOKED_AT = 2 * _TAIL_LINES  # blank lines between them included
_RUBYS = re.compile(r"\t\s{0,8}\d+: from ")
_CAUSE = "The above exception was the direct cause of the following exception:"
_CONTEXT = "During handling of the above exception, another exception occurred:"
_MARGIN = re.compile(r"([ \t]{0,64})(\||\+ (?=Exception Group)|\+-[-+]*(?: (?P<branch>\d+|\.\.\.) -+)?)")
_OUTSIDE = re.compile(
    r"[/\\](?:site-packages|dist-packages)[/\\]|[/\\]lib(?:64)?[/\\]python\d|[/\\]python[\d.]+[/\\]lib[/\\]"
    r"|[/\\]python\d+_lib[/\\]|\A<",
    re.IGNORECASE,
)


def start(line: str) -> int | None:
    """Return the column where a traceback may begin on this line, or None."""
    column = header(line)
    return 0 if column is None and _UNRAISED.match(line[:4096]) else column


def is_frame(line: str) -> bool:
    """Return whether a line is a frame; Python prints none without a header."""
    return False


def reader(first: str) -> LineReader:
    """Return the reader of a traceback that begins with this line."""
    return Reader(first)


def header(line: str) -> int | None:
    """Return the column where a traceback's header stands on this line, or None."""
    if HEADER in line:
        found = _START.search(line, max(0, line.rfind(HEADER) - 20))
        return found.start() if found else None
    return 0 if _BARE_SYNTAX_ERROR.match(line[:1200]) else None


class Reader:
    """Says of each following line whether it belongs to the traceback. Foreign lines change nothing."""

    def __init__(self, first: str) -> None:
        self._step = self._in_frames if header(first) is not None else self._after
        self._indent = len(first) - len(first.lstrip()) if first.lstrip().startswith("Traceback") else 0
        self._grouped = "+ Exception Group" in first
        self._tail: Tail | None = None

    def step(self, line: str) -> Verdict:
        """Take one line without its envelope."""
        if self._indent and line[: self._indent].isspace():
            line = line[self._indent :]
        return self._step(line)

    def _in_frames(self, line: str) -> Verdict:
        if self._grouped:
            if line.lstrip()[:1] in ("|", "+"):
                return Verdict.BELONGS
            return self._after(line)
        if line[:2] == "  " or line[:1] == "\t":
            return Verdict.BELONGS
        return self._exception(line)

    def _exception(self, line: str) -> Verdict:
        if not _EXCEPTION.match(line[:4096]) or begins_record(line):
            return Verdict.FOREIGN
        self._grouped, self._step, self._tail = False, self._after, Tail(line)
        return Verdict.BELONGS

    def _after(self, line: str) -> Verdict:
        if line.startswith((_CAUSE, _CONTEXT)):
            self._step = self._before_next
            return Verdict.BELONGS
        if not line.strip():
            return Verdict.MAYBE
        if self._grouped or header(line) is not None:
            return Verdict.FOREIGN
        if self._tail and self._tail.takes(line):
            return Verdict.BELONGS
        # Where there was no traceback, only a chain proves that a message went on.
        return Verdict.FOREIGN if begins_record(line) else Verdict.MAYBE

    def _before_next(self, line: str) -> Verdict:
        if not line.strip():
            return Verdict.BELONGS
        if header(line) is not None:
            self._grouped = "+ Exception Group" in line
            self._step, self._tail = self._in_frames, None
            return Verdict.BELONGS
        return self._exception(line)


class Tail:
    """The lines of a message below its first, which ``str(error)`` may print as many of as it likes.

    A line that begins a record is none of them, except right below a line that ends with a colon: there even
    ``ERROR: no such relation`` is what a database said. Nor is one that names trouble of its own.
    """

    def __init__(self, first: str) -> None:
        self._owed = first.rstrip().endswith(":")
        self._lines, self._chars = _TAIL_LINES, _TAIL_CHARS

    def takes(self, line: str) -> bool:
        """Take a line that is not blank; False when it is none of the message's, or there are too many."""
        lines, chars = self._lines - 1, self._chars - len(line)
        owed = self._owed and _SAYS_LEVEL.match(line)
        loud = begins_record(line) or _LOUD.search(line[:_LOUD_CHARS])
        foreign = (loud and not owed) or _TROUBLE.match(line)
        if foreign or lines < 0 or chars < 0:
            return False
        self._lines, self._chars, self._owed = lines, chars, False
        return True


def frame_of(line: str) -> Frame | None:
    """Return the frame that a ``File "…", line n, in f`` line names."""
    found = _FRAME.match(line) if 'File "' in line else None
    if not found:
        return None
    file, number, function = found.groups()
    return Frame(file, int(number[:9]), (function or "<module>").rstrip(), in_app=_in_app(file))


@lru_cache(maxsize=512)
def _in_app(file: str) -> bool:
    return _OUTSIDE.search(file) is None


def frames(lines: list[str]) -> tuple[Frame, ...]:
    """Return every frame printed in a record, in printed order, chains and groups included."""
    return tuple(frame for line in lines if (frame := frame_of(_bare(line)[1])))


def parse(lines: list[str]) -> ParsedTrace | None:
    """Return the traceback in a record, or None when there is none."""
    lines = list(lines)
    first = next((at for at, line in enumerate(lines) if header(line) is not None), None)
    if first is None:
        return None
    if any(map(_RUBYS.match, lines[first + 1 : first + 2])):  # Ruby can print its own below the same words
        return None
    column = header(lines[first]) or 0
    inline = lines[first][:column]
    above = "\n".join([*lines[:first], inline]).strip()
    lines[first] = lines[first][column:] if inline.strip() else lines[first]
    # A cause without a traceback of its own is printed above the first header.
    leading = _untraced_cause(lines[:first])
    raised = [*leading, *_raised(without_envelope(lines[first:], inline), explicit=_CAUSE in above)]
    if not raised:
        return None
    escaped, path, causes = _resolve(raised)
    return ParsedTrace(NAME, escaped.type, escaped.message, path, causes, above)


def _bare(line: str) -> tuple[int, str, str | None]:
    """Return (margin column, text behind the margin, branch number of a separator)."""
    found = _MARGIN.match(line) if "|" in line or "+" in line else None
    if not found:
        return 0, line, None
    body = line[found.end() :]
    return len(found.group(1)), body[1:] if body[:1] == " " else body, found.group("branch")


def _untraced_cause(lines: list[str]) -> list[Raised]:
    at = next((at for at, line in enumerate(lines) if line.startswith((_CAUSE, _CONTEXT))), 0)
    found = next((_EXCEPTION.match(line) for line in reversed(lines[:at]) if line.strip()), None)
    return [Raised(found.group(1), (found.group(2) or "").strip(), ())] if found else []


def _raised(lines: list[str], *, explicit: bool) -> Iterator[Raised]:
    """Yield the exceptions in printed order, each with its margin and branch."""
    stack: list[Frame] = []
    reading = False
    branch = 0
    for at, line in enumerate(lines):
        column, body, separator = _bare(line)
        frame = frame_of(body)
        if separator:
            branch, reading, explicit, stack = branch + 1, True, False, []
        elif frame:
            reading = True
            stack.append(frame)
        elif HEADER in body:
            stack, reading = [], True
        elif body.startswith((_CAUSE, _CONTEXT)):
            explicit = body.startswith(_CAUSE)
            stack, reading = [], True
        elif reading and body[:1] not in ("", " ", "\t") and (found := _EXCEPTION.match(body)):
            message = (
                ""
                if column
                else "\n".join([found.group(2) or "", *_below(body, lines[at + 1 : at + _LOOKED_AT])])
            )
            message = message.strip() or (found.group(2) or "").strip()
            yield Raised(found.group(1), message, clip(stack), explicit, column, branch)
            stack, reading, explicit = [], False, False


def _below(first: str, lines: list[str]) -> Iterator[str]:
    """Yield the lines of a message below its first."""
    tail = Tail(first)
    for line in lines:
        ended = line.startswith((_CAUSE, _CONTEXT)) or header(line) is not None
        if ended or (line.strip() and not tail.takes(line)):
            return
        yield line


def _resolve(raised: list[Raised]) -> tuple[Raised, tuple[Frame, ...], tuple[str, ...]]:
    """Return (the exception that escaped, the path to its root cause, the types behind it)."""
    # A group printed first stands at margin 2, a plain traceback after it at 0: both are outermost.
    outermost = max(min(one.column for one in raised), 2)
    chain = [at for at, one in enumerate(raised) if one.column <= outermost]
    escaped = raised[chain[-1]]
    path, root = escaped.frames, chain[-1]
    for earlier in reversed(chain[:-1]):
        if not raised[root].explicit:
            break
        path, root = clip(graft(path, raised[earlier].frames)), earlier
    causes = [raised[at].type for at in reversed(chain[:-1])]
    inside = _members(raised, root)
    if inside:
        branch = [one for one in inside if one.branch == inside[0].branch or one.column > inside[0].column]
        path = clip(graft(path, _resolve(branch)[1]))
        causes += [one.type for one in inside]
    return escaped, path, tuple(causes)


def _members(raised: list[Raised], group: int) -> list[Raised]:
    """Return what was printed inside a group: everything behind a deeper margin, right after it."""
    deeper = takewhile(lambda one: one.column > raised[group].column, raised[group + 1 :])
    return list(deeper)
