"""SuiteReport: what a test command said, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ai_ops.flow.event import Frame


class CaseOutcome(StrEnum):
    """The outcome of one test."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"


class RunEnd(StrEnum):
    """How the test command itself ended."""

    EXITED = "exited"
    WALL_TIMEOUT = "wall_timeout"
    IDLE_TIMEOUT = "idle_timeout"
    OUTPUT_LIMIT = "output_limit"
    MEMORY_LIMIT = "memory_limit"
    PROCESS_LIMIT = "process_limit"
    CPU_LIMIT = "cpu_limit"
    DISK_LIMIT = "disk_limit"
    FILE_LIMIT = "file_limit"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One test. ``id`` is stable between runs of the same suite: ``file::class::name``.

    ``exception_type`` and ``frames`` come from the failure text and are empty when it passed.
    """

    id: str
    outcome: CaseOutcome
    exception_type: str = ""
    message: str = ""
    frames: tuple[Frame, ...] = ()


@dataclass(frozen=True, slots=True)
class SuiteReport:
    """What a test command reported.

    ``results`` is None when there was no readable report: the command crashed before it wrote one,
    exited early, or the report was damaged. ``output`` is the tail of what it printed, ``argv`` the command.
    """

    end: RunEnd
    exit_code: int | None
    results: tuple[CaseResult, ...] | None
    output: str = ""
    duration_seconds: float = 0.0
    argv: tuple[str, ...] = ()
