"""Groups of commands as the reader meets them: brackets, braces, branches, loops.

What stands in one reads what the group is given, and all of it writes to what stands behind a pipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ai_ops.core.commands.parts import Command

_CLOSES: Final = {
    "(": ")", "{": "}", "if": "fi", "while": "done", "until": "done", "for": "done", "select": "done",
    "case": "esac",
}  # fmt: skip
_MOST_CROSSED: Final = 8
"""So many groups are closed by a word that closes none of those within."""
_MOST_TOGETHER: Final = 500


class Groups:
    """The groups that are open; ``found`` are the commands that were read."""

    def __init__(self, found: Sequence[Command]) -> None:
        self._found = found
        self._open: list[tuple[str, int, int]] = []
        self._closed = -1

    def begin(self, word: str, *, piped: bool) -> None:
        """Take what may open a group; ``piped``: it reads what the command before it writes."""
        if closes := _CLOSES.get(word):
            start = len(self._found)
            self._open.append((closes, start, start if piped else self._first_reader))

    def end(self, word: str) -> None:
        """Take what may close a group."""
        for at in range(1, min(len(self._open), _MOST_CROSSED) + 1):
            if self._open[-at][0] == word:
                self._closed = self._open[-at][1]
                del self._open[-at:]
                return

    @property
    def _first_reader(self) -> int:
        return self._open[-1][2] if self._open else -1

    def takes(self, command: Command) -> None:
        """Mark a command that reads what its group is given."""
        first = self._first_reader
        command.shares = first if not command.piped and first < len(self._found) else -1

    def written(self) -> int:
        """Return how many commands have written what stands before a pipe, and forget them."""
        closed, self._closed = self._closed, -1
        return max(1, min(len(self._found) - closed, _MOST_TOGETHER)) if closed >= 0 else 1
