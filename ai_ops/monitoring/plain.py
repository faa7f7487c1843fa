"""Plain traces, joined at one stroke.

Most traces stand below a dated line of trouble, whole and in the shape that everybody knows, and the next
dated line ends them. One pattern takes such a trace out of the chunk, with the same result as the joiner
has line by line, at a tenth of the price. Whatever is not plain is left to the joiner.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from ai_ops.monitoring.multiline import EACH_DIGIT_0, date_of, names_trace, writer_of_line

_LONGEST = 64 << 10
_LOUD = re.compile(rb"\b(?:ERROR|CRITICAL|FATAL|SEVERE)\b")
_LOUD_WINDOW = 64
# Heads that are the same here are by the same writer; most are, and that is cheaply seen.
_BEHIND_TIME = slice(24, 64)
# So many lines of others the joiner would step over before it gives a trace up.
_STRANGERS = 3
# The last line of a traceback has a small letter, so that no level is taken for an exception.
_PYTHON = (
    rb"Traceback \(most recent call last\):\n(?:  [^\r\n\x1b]*\n)+"
    rb"(?=[\w.]{0,80}[a-z])[A-Za-z_][\w.]{0,200}(?:: (?![A-Z]{3,9}\b)[^\r\n\x1b]*)?\n"
)
_NAME = rb"[A-Za-z_][\w.$]{0,200}(?:Exception|Error)(?:: (?![A-Z]{3,9}\b)[^\r\n\x1b]*)?\n"
_JAVA = (
    rb"(?:\s+at [\w.$<>/@-]{1,300}\([\w$-]+\.[a-z]+:\d+\)\n|Caused by: [\w.$]+(?:: [^\r\n\x1b]*)?\n"
    rb"|\s+\.\.\. \d+ more\n)+"
)
_NODE = rb"(?:    at (?:[^()\r\n]{1,200} \()?[\w./:@-]+:\d+:\d+\)?\n)+"
_REMEMBERED_BYTES = 4096
_PLAIN = re.compile(_PYTHON + rb"|" + _NAME + rb"(?:" + _JAVA + rb"|" + _NODE + rb")")


def plain_end(line: bytes, text: bytes, begin: int, is_error: Callable[[bytes], bool]) -> int:
    """Return where the newline of a record's last line is in ``text``, or -1 when it is not plain.

    Args:
        line: the error's own line.
        text: the chunk.
        begin: where the next line begins in it.
        is_error: whether a line begins an error.
    """
    date = date_of(line)
    if not date or not _may_stand_above(line):
        return -1
    end = text.find(b"\n" + date, begin, begin + _LONGEST)
    if end < 0:
        return -1
    body = text[begin : end + 1]
    if not _is_plain(body) or not _is_over(line, text, end + 1, date, is_error):
        return -1
    return end


def _may_stand_above(line: bytes) -> bool:
    if len(line) > _REMEMBERED_BYTES:
        return _is_loud(line)
    return _seen_to_be_loud(line.translate(EACH_DIGIT_0))


def _is_loud(line: bytes) -> bool:
    return not names_trace(line) and _LOUD.search(line, 0, _LOUD_WINDOW) is not None


def _is_plain(body: bytes) -> bool:
    return _seen_to_be_plain(body.translate(EACH_DIGIT_0)) if len(body) <= _REMEMBERED_BYTES else _fits(body)


def _fits(body: bytes) -> bool:
    return _PLAIN.fullmatch(body) is not None


# Most lines and traces come again with other digits, and no pattern here tells one digit from another.
_seen_to_be_loud = lru_cache(maxsize=128)(_is_loud)
_seen_to_be_plain = lru_cache(maxsize=128)(_fits)


def _is_over(line: bytes, text: bytes, after: int, date: bytes, is_error: Callable[[bytes], bool]) -> bool:
    """Whether no frame can follow: the same writer's next error does, or more lines than are stepped over."""
    stop = text.find(b"\n", after)
    following = text[after:stop]
    if is_error(following):
        alike = following[_BEHIND_TIME] == line[_BEHIND_TIME]
        return alike or writer_of_line(following) == writer_of_line(line)
    for _ in range(_STRANGERS):
        if stop < 0 or not text.startswith(date, stop + 1):
            return False
        stop = text.find(b"\n", stop + 1)
    return stop >= 0
