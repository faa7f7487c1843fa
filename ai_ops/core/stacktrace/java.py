"""Traces of the Java virtual machine: Java, Kotlin and their kin.

The exception that escaped is printed first, its causes after it, each with the innermost call on top.
``... n more`` stands for the last n frames of the enclosing trace.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ai_ops.core.logline import behind_time, split_prefix
from ai_ops.core.stacktrace.model import LineReader, ParsedTrace, clip
from ai_ops.core.stacktrace.reader import MessageThenFrames, Part, bare
from ai_ops.flow.event import Frame

NAME = "java"
NEEDLES = ("Exception", "Error", "Throwable", "Failure", "Fault")
MARKS = ("at ",)

# A class is told from other words by its ending, so only names that end so are looked at.
_CLASS = re.compile(
    r"(?<![\w$./-])([A-Za-z_$][\w$.]{0,255}?(?:Exception|Error|Throwable|Failure|Fault))(?::(?=\s|\Z)|\s*\Z)"
)
_THREAD = re.compile(r'Exception in thread "[^"]{0,255}" ([\w$.]{1,255})(?::\s|\s*\Z)')
_QUALIFIED = re.compile(r"\s*((?:[a-z_][\w$]{0,63}\.){1,16}[A-Z][\w$]{0,127})(?::\s|\s*\Z)")
_FRAME = re.compile(
    r"\s*at ([\w$.@/-]{1,512}\.[\w$<>][^()\n]{0,255}+(?<!\s))\("
    r"([\w$-]{1,200}(?:\.[\w-]{1,64}){1,4}(?::-?\d{1,9})?"
    r"|Native Method|<generated>|(?:Unknown Source|SourceFile)(?::\d{1,9})?)\)"
)
_LINKED = re.compile(
    r"(\s*)(Caused by|Suppressed|Wrapped by):\s(?:\[CIRCULAR REFERENCE:\s?)?([\w$.]{1,255})(?::\s(.*))?"
)
_MORE = re.compile(r"\s*\.\.\. (\d{1,6}) (?:more|common frames|frames)")
_HEAD_LINES = 32
_DEEPEST = 1024
_CIRCULAR = re.compile(r"\s*\[CIRCULAR REFERENCE")
_SOURCE = re.compile(r"([\w$.-]{1,200}\.\w{1,10})(?::(\d{1,9}))?")
_OUTSIDE_PACKAGES = """
java. javax. jdk. sun. com.sun. jakarta. kotlin. kotlinx. scala. groovy. clojure. akka. android.
androidx. dalvik. _COROUTINE. com.android.internal. ch.qos.logback. com.amazonaws. com.fasterxml.
com.google.common. com.google.inject. com.google.gson. com.ibm. com.microsoft.sqlserver. com.mysql.
com.zaxxer.hikari. feign. io.grpc. io.micronaut. io.netty. io.quarkus. io.reactivex. io.smallrye.
io.undertow. io.vertx. junit. net.bytebuddy. net.sf.cglib. okhttp3. okio. oracle.jdbc. org.apache.
org.aspectj. org.codehaus. org.eclipse. org.glassfish. org.gradle. org.h2. org.hibernate. org.jboss.
org.junit. org.mariadb. org.mockito. org.mortbay. org.mybatis. org.postgresql. org.quartz. org.slf4j.
org.springframework. org.wildfly. reactor. retrofit2. rx. software.amazon. weblogic.
"""
_OUTSIDE = tuple(_OUTSIDE_PACKAGES.split())


def start(line: str) -> int | None:
    """Return the column where an exception's own line may begin here, or None."""
    head = line[:4096]
    found = _THREAD.search(head)
    if found:
        return found.start(1)
    found = _CLASS.search(head)
    if not found or (found.group(1).endswith(("Error", "Failure", "Fault")) and "." not in found.group(1)):
        return None
    return found.start(1)


def is_frame(line: str) -> bool:
    """Return whether a line is a frame, whatever stood before it."""
    return line.lstrip()[:3] == "at " and _FRAME.match(line) is not None


def reader(first: str) -> LineReader:
    """Return the reader of a trace that begins with this line."""
    return MessageThenFrames(_part_of, in_message=not is_frame(first))


def _part_of(line: str) -> Part | None:
    if is_frame(line) or _MORE.match(line) or _CIRCULAR.match(line):
        return Part.FRAME
    return Part.LINK if _LINKED.match(line[:4096]) else None


@dataclass(slots=True)
class _Printed:
    """One exception as printed: frames innermost first."""

    type: str
    message: str
    role: str = ""
    indent: int = 0
    frames: list[Frame] = field(default_factory=list)
    more: int = 0


def parse(lines: list[str]) -> ParsedTrace | None:
    """Return the trace in a record, or None when it holds no frame."""
    lines = bare(lines, start, is_frame)
    first = next((at for at, line in enumerate(lines) if is_frame(line)), None)
    if first is None:
        return None
    head, header = _head(lines[:first])
    printed = [head]
    for line in lines[first:]:
        _take(line, printed)
    chain = [one for one in printed[1:] if one.indent <= head.indent]
    if any(one.role == "Wrapped by" for one in chain):  # the root cause was printed first
        escaped, path, causes = chain[-1], _path(head, []), [*reversed(chain[:-1]), head]
    else:
        escaped, path, causes = head, _path(head, chain), chain
    kinds = tuple(one.type for one in causes)
    return ParsedTrace(NAME, escaped.type, escaped.message, path, kinds, header)


def _take(line: str, printed: list[_Printed]) -> None:
    current = printed[-1]
    if frame := frame_of(line):
        current.frames.append(frame)
    elif found := _LINKED.match(line):
        indent, role, kind, message = found.groups()
        printed.append(_Printed(kind, (message or "").strip(), role, len(indent)))
    elif found := _MORE.match(line):
        current.more = int(found.group(1))


def _path(head: _Printed, chain: list[_Printed]) -> tuple[Frame, ...]:
    """Return the frames of the last exception of a chain, outermost first, the elided ones restored."""
    frames = head.frames
    for one in chain:
        enclosing = frames[-one.more :] if one.more else []
        frames = [*one.frames, *enclosing][:_DEEPEST]
    return clip(frames[::-1])


def _head(lines: list[str]) -> tuple[_Printed, str]:
    """Return the exception named nearest above the first frame, and the log text before it."""
    for at in range(len(lines) - 1, max(-1, len(lines) - 1 - _HEAD_LINES), -1):
        line = lines[at]
        skipped = len(split_prefix(line)[0])
        found = _THREAD.search(line) or _CLASS.search(line[:4096]) or _QUALIFIED.match(line, skipped)
        found = found or _QUALIFIED.match(line, behind_time(line))
        if found:
            message = line[found.end(1) :].removeprefix(":").strip()
            return _Printed(found.group(1), message), "\n".join([*lines[:at], line[: found.start(1)]]).strip()
    return _Printed("", ""), "\n".join(lines).strip()


def frame_of(line: str) -> Frame | None:
    """Return the frame of an ``at`` line; the file is the package's path and the source file."""
    found = _FRAME.match(line) if line.lstrip()[:3] == "at " else None
    if not found:
        return None
    call, place = found.groups()
    call = (
        call.rsplit("/", 1)[-1]
        if "$$Lambda" not in call
        else call[call.find("//") + 2 if "//" in call else 0 :]
    )
    owner, _, method = call.rpartition(".")
    package, _, name = owner.rpartition(".")
    source = _SOURCE.match(place)
    file = source.group(1) if source else name.split("$", 1)[0]
    path = f"{package.replace('.', '/')}/{file}" if package else file
    number = int(source.group(2) or 0) if source else 0
    return Frame(path, number, f"{name}.{method}" if name else method, in_app=_in_app(call, owner))


def _in_app(call: str, owner: str) -> bool:
    return not call.startswith(_OUTSIDE) and "$$" not in owner
