"""What was judged about a command, a tool call or a task's words, and what a person said to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Decision(StrEnum):
    """What is done about a command: nothing, a person is asked, or it is refused."""

    ALLOW = "allow"
    ASK = "ask"
    BLOCK = "block"


class Severity(StrEnum):
    """How bad it would be."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Role(StrEnum):
    """What somebody is to this installation. Each may do what those before it may."""

    SCHEDULE = "schedule"
    OPERATOR = "operator"
    REVIEWER = "reviewer"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A decision with the rule that it came from, empty where nothing was found, and words for people."""

    decision: Decision = Decision.ALLOW
    rule: str = ""
    text: str = ""


ToolJudge = Callable[[str, dict[str, Any]], Awaitable[Judgement]]
"""Judges a tool call before it is made, by the tool's name and its input."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was found and what was done about it.

    ``place`` is ``words`` or the tool's name. ``text`` is masked; ``digest`` is that of the exact text, by
    which a person lets this one go on. ``unblocked_by`` is empty until then.
    """

    id: str
    at: datetime
    rule: str
    severity: Severity
    decision: Decision
    place: str
    text: str
    digest: str
    task_id: str = ""
    run_id: str = ""
    unblocked_by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit log. ``hash`` is over all the others and the line before (``previous``)."""

    seq: int
    at: datetime
    who: str
    verb: str
    subject: str
    detail: dict[str, Any]
    previous: str
    hash: str
