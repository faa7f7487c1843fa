"""What a command of a pipe hands on to the next one, and what a group of them hands on together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ai_ops.core.commands.expanding import MOST_VALUE
from ai_ops.core.commands.naming import names
from ai_ops.core.commands.parts import Command, plain

MOST_LINE: Final = 1000
_SILENT: Final = names(": cd true sleep wait export set unset for select [ [[ test mkdir touch read")
"""What hands on nothing."""


@dataclass(slots=True)
class Pipe:
    """What the command before hands on: its argv, its output where known, and whether it was decoded.

    ``line`` are the commands of the pipe so far.
    """

    argv: tuple[str, ...] = ()
    text: str | None = None
    decoded: bool = False
    line: str = ""


def together(pipes: Sequence[Pipe]) -> Pipe:
    """Return what several commands hand on: unknown where one of them says what is unknown."""
    if len(pipes) < 2:
        return pipes[0] if pipes else Pipe()
    open_ones = [pipe for pipe in pipes if pipe.text is None and pipe.argv and pipe.argv[0] not in _SILENT]
    lines = "".join(_lines(pipe) for pipe in pipes if not open_ones)
    return Pipe(
        (open_ones or pipes)[-1].argv,
        lines if 0 < len(lines) <= MOST_VALUE else None,
        any(pipe.decoded for pipe in pipes),
        " | ".join(pipe.line for pipe in pipes)[:MOST_LINE],
    )


def _lines(pipe: Pipe) -> str:
    text = pipe.text or ""
    return f"{text}\n" if pipe.argv[:1] == ("echo",) and "-n" not in pipe.argv else text


_STARTS: Final = names("exec env command nohup sudo doas time")
_MOST_LOOKED: Final = 12


def reads_script(command: Command) -> bool:
    """Whether a command behind others of its group may read a script: it is given options, and no file."""
    texts = [plain(word) for word in command.words[: _MOST_LOOKED + 1]]
    while texts and (texts[0] in _STARTS or (texts[0][:1] not in "-" and "=" in texts[0])):
        texts.pop(0)
    return 0 < len(texts) <= _MOST_LOOKED and all(
        text.startswith("-") or text == "/dev/stdin" for text in texts[1:]
    )
