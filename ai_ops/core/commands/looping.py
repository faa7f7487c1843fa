"""Loops as the reader meets them: which of their commands run without end and without a pause."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ai_ops.core.commands.parts import Command, Kind

_ALWAYS = re.compile(r"true|:|sleep 0?(\.0\d*)?|echo\b.*|printf\b.*|date")
_TESTS = frozenset({"[", "[[", "test"})
_LEAVES = frozenset({"break", "exit", "return", "sleep", "wait", "usleep", "inotifywait", "read"})
_VAST = re.compile(r"\d{5,}|\b(seq|jot)\b.*\b\d+e\d|\b(inf|infinity)\b")
_DEEPEST = 8
_MOST_READ = 40
_OPEN_SUM = re.compile(r"\(?[^;]*;\s*(1|true)?\s*;")


class Loops:
    """The loops that are open; ``found`` are the commands that were read, in which they are marked."""

    def __init__(self, found: list[Command]) -> None:
        self._found = found
        self._open: list[tuple[str, int, int]] = []
        self.closed: tuple[Command, ...] = ()
        """The first and the last command of the loop that was just closed, until the next command."""

    def keyword(self, word: str) -> None:
        """Take a keyword that stands where a command would."""
        if word in ("while", "until"):
            self._open.append((word, len(self._found), len(self._found)))
        elif word == "do":
            self._begin()
        elif word == "done" and self._open:
            kind, first, start = self._open.pop()
            if first < len(self._found):
                self.closed = (self._found[first], self._found[-1])
            if kind == "endless" and len(self._open) < _DEEPEST:
                self._mark(start)

    def _begin(self) -> None:
        heads = self._open and self._open[-1][0] in ("while", "until")
        kind, first, _ = self._open.pop() if heads else ("", max(len(self._found) - 1, 0), 0)
        if kind:
            alone = len(self._found) == first + 1
            endless = alone and _is_constant(self._found[-1], holds=kind == "while")
        else:
            head = _text(self._found[-1])[:200] if self._found else ""
            endless = head.startswith("for ") and bool(_VAST.search(head) or _is_open(head))
        self._open.append(("endless" if endless else "ends", first, len(self._found)))

    def _mark(self, start: int) -> None:
        body: Sequence[Command] = self._found[start:]
        if not any(_text(command).partition(" ")[0] in _LEAVES and not command.behind for command in body):
            for command in body:
                command.endless = True


def _is_constant(condition: Command, *, holds: bool) -> bool:
    """Whether a condition asks for nothing that could change."""
    text = _text(condition)
    if text.partition(" ")[0] in _TESTS:
        open_parts = any(part.kind is not Kind.TEXT for word in condition.words for part in word)
        return not open_parts and not re.search(r"\s-[a-zA-Z]\s", text)
    return bool(_ALWAYS.fullmatch(text)) if holds else text == "false"


def _is_open(head: str) -> bool:
    """Whether the sum of a ``for`` has no condition, or one that always holds."""
    return bool(_OPEN_SUM.match(head.removeprefix("for ").strip()))


def _text(command: Command) -> str:
    return " ".join("".join(part.text for part in word)[:_MOST_READ] for word in command.words[:_MOST_READ])
