"""The words that stand before every line of one record, and who wrote them.

A logger or a runtime may put the same words before each line of a trace. They are alike but for the time;
the process and the thread in them tell two writers of one file apart.
"""

from __future__ import annotations

import re
from functools import lru_cache

from ai_ops.core.container import DOCKER_JSON, container_prefix, unwrap
from ai_ops.core.logline import LEVELS, TIME

_LONGEST = 256
# What differs between two lines of one writer: times, uptimes, priorities, a counter, the flag of a cut line.
_VARIES = re.compile(
    rf"{TIME}|<\d{{1,3}}>|(?<![\w.:])\d+[.,]\d+(?![\w.:])|\A\s*\d+(?=[\s:])|(?<=\sstd(?:out|err)\s)[FP](?=\s)"
)
_DIGITS = re.compile(r"\d+")


def _pattern(prefix: str) -> str:
    """Return the prefix as a pattern in which only what varies may differ."""
    parts, at = [], 0
    for found in _VARIES.finditer(prefix):
        varying = "[FP]" if found.group() in ("F", "P") else _DIGITS.sub(r"\\d+", re.escape(found.group()))
        parts += [re.escape(prefix[at : found.start()]), varying]
        at = found.end()
    return "".join([*parts, re.escape(prefix[at:])])


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


class Envelope:
    """The words before the first line of a record, looked for before its next ones."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix if len(prefix) <= _LONGEST and prefix.strip() else ""
        self._pattern = ""  # made when it is first needed: most records have one line

    def strip(self, line: str) -> str | None:
        """Return the line without the envelope, or None when it does not carry it."""
        if not self._prefix:
            return None
        self._pattern = self._pattern or _pattern(self._prefix)
        found = _compiled(self._pattern).match(line)
        if found:
            return line[found.end() :]
        # A trimmed line ends where the envelope's last blanks would be.
        if len(line) < len(self._prefix) and self._prefix[-1].isspace():
            return "" if _compiled(_pattern(self._prefix.rstrip())).fullmatch(line) else None
        return None


_NONE = Envelope("")


class Container:
    """What the runtime puts before each line of one writer.

    ``first`` is the first line without it; ``plain`` is true when it puts nothing.
    """

    def __init__(self, line: str) -> None:
        self._prefix, self.first, self._goes_on = unwrap(line)
        self.plain = not self._prefix
        self._docker = bool(self._prefix) and line.startswith(DOCKER_JSON)
        self._envelope = _NONE if self._docker or self.plain else Envelope(self._prefix)

    def strip(self, line: str) -> str | None:
        """Return the application's own line, or None when another writer's runtime wrote it."""
        if self.plain:
            return line
        if self._docker:
            prefix, text, self._goes_on = unwrap(line)
            return text if prefix in (self._prefix, "") else None
        bare = self._envelope.strip(line)
        if bare is None:
            return None if container_prefix(line) else line
        return bare

    def continues(self, line: str) -> bool:
        """Whether the line is the rest of the one before it, which the runtime cut."""
        if not self._goes_on or self.strip(line) is None:
            return False
        self._goes_on = unwrap(line).goes_on
        return True


def without_envelope(lines: list[str], prefix: str) -> list[str]:
    """Return the lines without the prefix, which the first has lost already, if a next one carries it.

    Lines without it came in between and are left out.
    """
    envelope = Envelope(prefix)
    if len(lines) < 2 or all(envelope.strip(line) is None for line in lines[1:5]):
        return lines
    return [lines[0], *(bare for line in lines[1:] if (bare := envelope.strip(line)) is not None)]


# The head of a line as far as it can name a process or a thread: a time, levels, brackets, numbers.
_HEAD = re.compile(
    rf"\s?(?:(?:[A-Z],\s)?[\[(]?{TIME}(?:\s#(?P<ruby>\d+))?(?::\s[A-Z]{{3,8}}/(?P<celery>[\w-]{{1,80}}))?"
    r"[\])]?[\s,:|-]{0,8})?"
    r"(?P<rest>(?:\[[^\[\]\n]{1,120}\][\s:|-]{0,8}|[A-Z]{3,11}[\s:|-]{1,8}"
    r"|(?:pid[=: ]{0,2})?\d{1,10}[\s:|-]{1,8}|---\s{1,4}){0,8})"
)
_WHO = re.compile(r"\[\s*([^\[\]]{1,120}?)\s*\]|(\d+)")


def writer_of(line: str) -> str:
    """Return what the head of a line says about the process and thread that wrote it, or ''."""
    prefix, text, _ = unwrap(line)
    head = _HEAD.match(text)
    said = [_VARIES.sub("", prefix).strip() if prefix else ""]
    if head:
        named = (inside or number for inside, number in _WHO.findall(head["rest"]))
        said += [head["ruby"], head["celery"], *(who for who in named if who.upper() not in LEVELS)]
    return "|".join(filter(None, said))
