"""Plain traces, joined at one stroke.

Most traces stand below a dated line of trouble, whole and in the shape that everybody knows, and the next
dated line ends them. One pattern takes such a trace out of the chunk, with the same result as the joiner
has line by line, at a tenth of the price. Whatever is not plain is left to the joiner.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from ai_ops.monitoring.encoding import cleaned
from ai_ops.monitoring.multiline import EACH_DIGIT_0, date_of, is_next, names_trace, writer_of_line

_LONGEST = 64 << 10
_LOUD = re.compile(rb"\b(?:ERROR|CRITICAL|FATAL|SEVERE)\b")
_LOUD_WINDOW = 64
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


def plain_records(
    line: bytes,
    text: bytes,
    end: int,
    is_error: Callable[[bytes], bool],
    next_hit: Callable[[int], int],
) -> Iterator[tuple[bytes, int]]:
    """Yield the records in a row that plainly are whole: each and where the newline of its last line is.

    Args:
        line: the first one's own line, cleaned.
        text: the chunk.
        end: where the newline of ``line`` is in it.
        is_error: whether a line begins an error, if it is hit.
        next_hit: the next place of the text where an error may be; never asked about what was not yielded.
    """
    date = date_of(line)
    writer = None
    while date:
        if text.startswith(date, end + 1):
            if is_next(line, text[end + 1 : text.find(b"\n", end + 1) + 1], date):
                yield line, end
            return
        if not _may_stand_above(line) or (stop := _trace_end(text, end, date)) < 0:
            return
        after = text.find(b"\n", stop + 1)
        following = cleaned(text[stop + 1 : after])
        # No frame can follow: the same writer's next error does, or more lines than are stepped over.
        if not is_error(following):
            if _strangers_follow(text, after, date):
                yield line + text[end:stop], stop
            return
        next_writer = writer_of_line(following)
        if next_writer != (writer_of_line(line) if writer is None else writer):
            return
        yield line + text[end:stop], stop
        if not 0 <= next_hit(stop + 1) < after:
            return
        line, end, writer = following, after, next_writer


def _trace_end(text: bytes, end: int, date: bytes) -> int:
    """Return where the last newline of a plain trace is, or -1; its first line begins after ``end``."""
    stop = text.find(b"\n" + date, end + 1, end + 1 + _LONGEST)
    if stop < 0:
        return -1
    body = text[end + 1 : stop + 1]
    short = len(body) <= _REMEMBERED_BYTES
    return stop if (_seen_to_be_plain(body.translate(EACH_DIGIT_0)) if short else _fits(body)) else -1


def _may_stand_above(line: bytes) -> bool:
    short = len(line) <= _REMEMBERED_BYTES
    return _seen_to_be_loud(line.translate(EACH_DIGIT_0)) if short else _is_loud(line)


def _is_loud(line: bytes) -> bool:
    return not names_trace(line) and _LOUD.search(line, 0, _LOUD_WINDOW) is not None


def _fits(body: bytes) -> bool:
    return _PLAIN.fullmatch(body) is not None


# Most lines and traces come again with other digits, and no pattern here tells one digit from another.
_seen_to_be_loud = lru_cache(maxsize=128)(_is_loud)
_seen_to_be_plain = lru_cache(maxsize=128)(_fits)


def _strangers_follow(text: bytes, end: int, date: bytes) -> bool:
    """Whether so many dated lines follow after ``end`` that the joiner gives a trace up."""
    for _ in range(_STRANGERS):
        if end < 0 or not text.startswith(date, end + 1):
            return False
        end = text.find(b"\n", end + 1)
    return end >= 0
