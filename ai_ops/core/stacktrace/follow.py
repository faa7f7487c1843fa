"""Which lines make one record: the joiner's questions, answered a line at a time.

A trace never says that it is over, and some lines only turn out to belong when a later one comes: a
blank line before "During handling of the above exception", the second line of a message. Those are
taken provisionally, and ``Follower.pending`` tells how many to give back when the record ends.
"""

from __future__ import annotations

import re
from types import ModuleType
from typing import Protocol

from ai_ops.core.logline import Envelope, begins_record, container_prefix, text_level
from ai_ops.core.stacktrace import java, python
from ai_ops.core.stacktrace.model import Verdict

MAX_PENDING = 32
"""How many lines are taken provisionally before the record is over."""

NEEDLES: tuple[bytes, ...] = (b"Traceback (most recent call last):", b"Exception", b"Error", b"Throwable")
"""A line that ``start`` takes holds one of these, but for a bare syntax error; for chunk-wise search."""

TRACE_START: re.Pattern[bytes] = re.compile(
    rb"Traceback \(most recent call last\):[ \t\r]*$"
    rb"|(?<![\w$./-])[A-Za-z_$][\w$.]{0,255}?(?:Exception|Error|Throwable|Failure|Fault)(?::(?=\s|\Z)|\s*$)"
    rb'|^\s{0,8}File "[^"\n]{1,1024}", line \d+[ \t\r]*$',
    re.MULTILINE,
)
"""Finds, in one line or in a whole chunk, where a trace may begin. ``start`` decides."""

_LANGUAGES: dict[str, ModuleType] = {python.LANGUAGE: python, java.LANGUAGE: java}


class _Reader(Protocol):
    def step(self, line: str) -> Verdict: ...


def _text(line: bytes) -> str:
    return line.rstrip(b"\r\n").decode("latin-1")


def start(line: bytes) -> str | None:
    """Return the language whose trace may begin on this line, behind any log prefix, or None."""
    text = _text(line)
    for language, module in _LANGUAGES.items():
        if module.start(text) is not None:
            return language
    return None


class Follower:
    """Takes the lines of one record after its first.

    ``language`` is what ``start`` said of the first line; None or "" for an ordinary line, whose record
    becomes a trace's when one begins right after it. ``pending`` counts the lines taken last that belong
    only if more comes; when the record ends they are not part of it. A refused line changes nothing, so
    a joiner that bears interleaved lines may go on asking.
    """

    def __init__(self, language: str | None, first_line: bytes) -> None:
        self.language = language or ""
        self.pending = 0
        text = _text(first_line)
        self._container = Envelope(container_prefix(text))
        text = self._without_container(text)
        self._envelope: Envelope | None = None
        self._enveloped: bool | None = False
        self._reader = self._reader_of(text) if self.language else _Headline(text)

    def accept(self, line: bytes) -> bool:
        """Return whether the line belongs to the record, for certain or provisionally."""
        text = self._without_container(_text(line))
        verdict = self._verdict(text)
        if verdict is Verdict.FOREIGN or (verdict is Verdict.MAYBE and self.pending >= MAX_PENDING):
            return False
        self.pending = self.pending + 1 if verdict is Verdict.MAYBE else 0
        return True

    def _without_container(self, text: str) -> str:
        bare = self._container.strip(text)
        return text if bare is None else bare

    def _reader_of(self, text: str) -> _Reader:
        module = _LANGUAGES[self.language]
        column = module.start(text) or 0
        self._envelope = Envelope(text[:column])
        self._enveloped = None
        reader: _Reader = module.Reader(text[column:] if text[:column].strip() else text)
        return reader

    def _verdict(self, text: str) -> Verdict:
        if not self.language:
            return self._before_trace(text)
        if self._enveloped is not True:
            verdict = self._reader.step(text)
            if verdict is Verdict.BELONGS:
                self._enveloped = False
            if verdict is not Verdict.FOREIGN or self._enveloped is False:
                return verdict
        bare = self._envelope.strip(text) if self._envelope else None
        if bare is None:
            return Verdict.FOREIGN
        verdict = self._reader.step(bare)
        if verdict is not Verdict.FOREIGN:
            self._enveloped = True
        return verdict

    def _before_trace(self, text: str) -> Verdict:
        verdict = self._reader.step(text)
        if verdict is Verdict.BELONGS:
            self.language = _Headline.language(text)
            self._reader = self._reader_of(text)
        return verdict


class _Headline:
    """A log line of trouble: a trace may follow it, at once or after more of its message."""

    def __init__(self, first: str) -> None:
        self._harmless = text_level(first) in ("DEBUG", "INFO")

    def step(self, line: str) -> Verdict:
        if self._harmless or begins_record(line):
            return Verdict.FOREIGN
        return Verdict.BELONGS if self.language(line) else Verdict.MAYBE

    @staticmethod
    def language(line: str) -> str:
        if python.start(line) is not None:
            return python.LANGUAGE
        return java.LANGUAGE if java.is_frame(line) or java.start(line) is not None else ""
