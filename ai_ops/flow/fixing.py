"""What is asked of a fixer, and what it answers."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from ai_ops.flow.judgement import ToolJudge
from ai_ops.flow.run import Usage


class FixMode(StrEnum):
    """``code_blocks``: the answer's blocks are applied by us. ``agentic``: Claude edits the checkout."""

    CODE_BLOCKS = "code_blocks"
    AGENTIC = "agentic"


class Purpose(StrEnum):
    """The first word of every prompt."""

    TRIAGE = "triage"
    REPRODUCE = "reproduce"
    FIX = "fix"
    REVISE = "revise"
    EXPLAIN = "explain"
    TASK = "task"


_SESSION_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation that a later request can go on with.

    ``record`` is its history as the fixer wrote it, byte for byte and not redacted: it is given back to the
    fixer and shown to nobody.
    """

    id: str
    record: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse an id that is not a UUID: it becomes a file's name and a flag."""
        if not self.is_id(self.id):
            raise ValueError("the id of a session is a UUID")

    @staticmethod
    def is_id(text: str) -> bool:
        """Whether a text is the id of a session."""
        return _SESSION_ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class FixRequest:
    """One request to a fixer.

    ``tools`` are the CLI's tool names, empty for none. ``checkout`` is the folder Claude sees at
    ``/workspace`` (None when it needs no files); it is writable only when ``writes`` is true.
    ``budget_usd`` is what this one call may spend. ``session`` is the conversation to go on with, None to
    begin one; with ``keep_session`` the answer holds the conversation. ``rules`` are the uses of tools that
    need no permission. With ``egress`` there is a way to the hosts that the server allows. With ``pauses`` an
    answer that has used its turns up is unfinished and no failure. ``judge`` is asked before each tool
    call: what it blocks is not done and Claude is told why; where it wants a person, the call ends
    (``command_held``).
    """

    run_id: str
    purpose: Purpose
    round: int
    nonce: str
    mode: FixMode
    prompt: str
    checkout: Path | None
    tools: tuple[str, ...]
    writes: bool
    budget_usd: float
    max_turns: int = 40
    model: str = ""
    wall_seconds: float = 1800.0
    idle_seconds: float = 120.0
    session: Session | None = None
    keep_session: bool = False
    rules: tuple[str, ...] = ()
    egress: bool = False
    pauses: bool = False
    judge: ToolJudge | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class FixAnswer:
    """What came back: all text of the assistant in order, and what it used.

    ``session`` is there when it was to be kept and could be. ``unfinished`` when there is more to do in it.
    ``refused`` are the places, ``host:port`` and why, that were to be reached and may not be.
    """

    text: str
    usage: Usage
    session_id: str = ""
    turns: int = 0
    duration_seconds: float = 0.0
    model: str = ""
    session: Session | None = None
    unfinished: bool = False
    refused: tuple[str, ...] = ()


# Called with (kind, data) for each thing seen while the fixer works: ``text``, ``tool_use``,
# ``tool_result``, or ``error`` of what was refused on the way. The data is JSON and not yet redacted.
Watch = Callable[[str, dict[str, Any]], Awaitable[None]]
