"""C# and the other languages of .NET, on CoreCLR and on Mono.

The exception that escaped is named first and ``--->`` brings the one behind it; the calls follow, those of
the innermost exception first, each block closed by "End of inner exception stack trace".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ai_ops.core.logline import begins_record, behind_time
from ai_ops.core.stacktrace.model import LineReader, ParsedTrace, clip, graft
from ai_ops.core.stacktrace.reader import MessageThenFrames, Part, bare
from ai_ops.flow.event import Frame

NAME = "csharp"
NEEDLES = ("Exception", "Error", "nhandled exception")
MARKS = ("at ",)

_TYPE = r"(?:[A-Za-z_][\w`+]{0,100}\.){0,12}[A-Za-z_][\w`+]{0,100}"
_UNHANDLED = re.compile(
    rf"[Uu]nhandled [Ee]xception[.:]\s{{0,4}}(?P<type>{_TYPE})?(?::\s(?P<message>.*)|\s*\Z)"
)
_NAMED = re.compile(
    r"(?<![\w$./\\-])(?P<type>(?:[A-Za-z_][\w`+]{0,100}\.){0,12}"
    r"[A-Za-z_]\w{0,100}?(?:Exception|Error)(?:`\d)?)"
    r"(?: \(0x[0-9A-Fa-f]{1,16}\))?(?::\s(?P<message>.*)|\s*\Z)"
)
_OWN_NAME = re.compile(rf"\s*(?P<type>{_TYPE})(?: \(0x[0-9A-Fa-f]{{1,16}}\))?: (?P<message>.*)")
_INNER = re.compile(
    rf"\s{{0,8}}---> (?P<member>\(Inner Exception #\d{{1,5}}\) )?(?P<type>{_TYPE})(?:: (?P<message>.*)|\s*\Z)"
)
_INLINE = re.compile(rf" ---> (?P<type>{_TYPE})(?:: |\s*\Z)")
_END = re.compile(r"\s*--- End of (?:inner exception stack trace|stack trace from previous location)")
_FRAME = re.compile(
    r"\s*at (?P<call>[^\s(){}/][^()\n]{0,1000}?) ?"
    r"\((?P<arguments>[^()\n]{0,2000}(?:\([^()\n]{0,200}\)[^()\n]{0,500}){0,4})\)(?: \[0x[0-9a-f]{1,8}\])?"
    r"(?: in (?:<[^>\n]{0,200}>|(?P<file>[^\n]{1,1000}?)):(?:line )?(?P<line>\d{1,9})| in [^\n:]{1,300})?"
    r"(?:\s?<---)?(?<!\s)\s*\Z"
)
# What Java and JavaScript put between these parentheses.
_NOT_ARGUMENTS = re.compile(
    r"<anonymous>|native\Z|Native Method|Unknown Source|<generated>|index \d|eval at |[^\n]{0,2000}:\d{1,9}\Z"
    r"|[\w$-]{1,200}\.(?:java|kt|kts|scala|groovy|clj)\Z"
)
_OUTSIDE_SPACES = """
System. Microsoft. Mono. MS. Internal. Interop. Newtonsoft. Npgsql. MySql. MySqlConnector. Oracle. Dapper.
Serilog. NLog. log4net. Autofac. Castle. AutoMapper. MediatR. Polly. Grpc. StackExchange. MassTransit.
Hangfire. Quartz. RabbitMQ. Confluent. MongoDB. Amazon. Azure. Google. Xunit. NUnit. Moq. FluentValidation.
Swashbuckle.
"""
_OUTSIDE = tuple(_OUTSIDE_SPACES.split())


def start(line: str) -> int | None:
    """Return the column where an exception's own line may begin here, or None."""
    head = line[:4096]
    found = _UNHANDLED.search(head)
    if found:
        return found.start("type") if found["type"] else found.start()
    found = _NAMED.search(head)
    named = found is not None and ("." in found["type"] or found["type"].endswith("Exception"))
    return found.start("type") if found and named else None


def is_frame(line: str) -> bool:
    """Return whether a line is a call."""
    return line.lstrip()[:3] == "at " and frame_of(line) is not None


def reader(first: str) -> LineReader:
    """Return the reader of a trace that begins with this line."""
    announced = re.fullmatch(r"[Uu]nhandled [Ee]xception[.:]\s*", first) is not None
    return MessageThenFrames(_part_of, in_message=not is_frame(first), owed=announced)


def _part_of(line: str) -> Part | None:
    if is_frame(line) or _END.match(line) or line.strip() == "<---":
        return Part.FRAME
    if _INNER.match(line[:4096]):
        return Part.LINK
    # The end of a message of several lines. A line that begins with a name is an exception of its own.
    linked = " ---> " in line and not begins_record(line) and start(line) != 0
    return Part.LINK if linked and _INLINE.search(line[:4096]) else None


@dataclass(slots=True)
class _Printed:
    """One exception as printed: frames innermost first."""

    type: str
    message: str
    frames: list[Frame] = field(default_factory=list)


def parse(lines: list[str]) -> ParsedTrace | None:
    """Return the trace in a record, or None when it holds no call of .NET."""
    lines = bare(lines, start, is_frame)
    first = next((at for at, line in enumerate(lines) if is_frame(line)), None)
    if first is None:
        return None
    chain, header = _chain(lines[:first])
    depth = len(chain) - 1
    for line in lines[first:]:
        if frame := frame_of(line):
            chain[depth].frames.append(frame)
        elif _END.match(line) and "inner" in line:
            depth = max(0, depth - 1)
        elif found := _INNER.match(line[:4096]):
            if found["member"]:  # an AggregateException's members are told again, at length
                break
            chain.append(_Printed(found["type"], _message(found["message"])))
            depth = len(chain) - 1
    path: tuple[Frame, ...] = ()
    for one in chain:
        path = clip(graft(path, tuple(one.frames[::-1])))
    return ParsedTrace(NAME, chain[0].type, chain[0].message, path, tuple(o.type for o in chain[1:]), header)


def _chain(lines: list[str]) -> tuple[list[_Printed], str]:
    """Return the exceptions named above the first call, outermost first, and the log text before them."""
    inner: list[_Printed] = []
    for at in range(len(lines) - 1, max(-1, len(lines) - 65), -1):
        line = lines[at][:4096]
        inline = [_Printed(found["type"], _message(line[found.end() :])) for found in _INLINE.finditer(line)]
        if found := _INNER.match(line):
            inner[:0] = [_Printed(found["type"], _message(found["message"])), *inline[1:]]
            continue
        inner[:0] = inline
        found = _UNHANDLED.search(line) or _NAMED.search(line)
        if found and not found["type"]:  # named on the next line
            continue
        if not found and (at == len(lines) - 1 - _links(lines)):
            column = behind_time(line)
            found = (
                _OWN_NAME.match(line, column) if not column or line[column : column + 1].isupper() else None
            )
        if found and (not inline or found.start("type") < line.index(" ---> ")):
            head = _Printed(found["type"], _message(found["message"]))
            return [head, *inner], "\n".join([*lines[:at], line[: found.start("type")]]).strip()
    return inner or [_Printed("", "")], "\n".join(lines[:1]).strip()


def _links(lines: list[str]) -> int:
    """Return how many lines at the end only bring inner exceptions."""
    return next((n for n, line in enumerate(reversed(lines)) if not _INNER.match(line[:4096])), len(lines))


def _message(text: str | None) -> str:
    return (text or "").split(" ---> ", 1)[0].strip()


def frame_of(line: str) -> Frame | None:
    """Return the call that an ``at`` line names; without debugging symbols it has no file."""
    found = _FRAME.match(line) if line.lstrip()[:3] == "at " else None
    if not found or "." not in found["call"] or _NOT_ARGUMENTS.match(found["arguments"]):
        return None
    call = found["call"].strip()
    return Frame(found["file"] or "", int(found["line"] or 0), call, in_app=not call.startswith(_OUTSIDE))
