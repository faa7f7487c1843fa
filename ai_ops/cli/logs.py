"""The server's log: structured lines on stderr and in a file, for people or as JSON, without secrets."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from ai_ops.config_places import Problem, likely
from ai_ops.core.failures import failed
from ai_ops.core.redaction import Redactor
from ai_ops.core.wording import one_line

if TYPE_CHECKING:
    from ai_ops.settings import Settings

log = logging.getLogger(__name__)

_LONGEST_MESSAGE = 16_384


@dataclass(frozen=True, slots=True)
class LogFile:
    """A file that is logged to besides: at ``most_bytes`` it is rotated, and ``kept`` files stay in all."""

    path: Path
    most_bytes: int = 50_000_000
    kept: int = 7


class _OwnersFile(RotatingFileHandler):
    """A rotated file that is for its owner alone (0600)."""

    def _open(self) -> TextIOWrapper:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return os.fdopen(os.open(self.baseFilename, flags, 0o600), "a", encoding="utf-8", errors="replace")


def configure(log_format: str, redactor: Redactor, file: LogFile | None = None) -> None:
    """Send all logging of this process to stderr in one shape, and to a file as well.

    Raises:
        PermanentError: ``log_file_unwritable``.
    """

    def redact(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        said = event.get("event")
        if isinstance(said, str):  # a name in it must not forge a line
            event["event"] = one_line(said, _LONGEST_MESSAGE)
        return {
            key: redactor.redact(value) if isinstance(value, str) else value for key, value in event.items()
        }

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]

    def shaped(handler: logging.Handler, *, colors: bool) -> logging.Handler:
        renderer: Any = (
            structlog.processors.JSONRenderer()
            if log_format == "json"
            else structlog.dev.ConsoleRenderer(colors=colors)
        )
        handler.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=shared,
                processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            )
        )
        return handler

    handlers = [shaped(logging.StreamHandler(sys.stderr), colors=sys.stderr.isatty())]
    if file is not None:
        handlers.append(shaped(_opened(file), colors=False))
    root = logging.getLogger()
    root.handlers[:] = handlers
    root.setLevel(logging.INFO)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("watchdog").setLevel(logging.CRITICAL)  # its hints may fail, polling goes on


def _opened(file: LogFile) -> logging.Handler:
    try:
        file.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _OwnersFile(file.path, maxBytes=file.most_bytes, backupCount=file.kept - 1)
    except OSError as error:
        raise failed("log_file_unwritable", f"{file.path} cannot be written: {error.strerror}.") from error


def warn_of(problems: Iterable[Problem]) -> None:
    """Say what a server starts on and was hardly meant."""
    for problem in problems:
        log.warning("%s", problem)


def warn_of_idle(idle: Iterable[Problem]) -> None:
    """Say once what in the settings' files has no effect and was probably meant for us."""
    if found := likely(idle):
        log.warning("settings without effect: %s", " ".join(map(str, found)))


def file_of(settings: Settings) -> LogFile | None:
    """Return the file that the settings name."""
    if settings.log_file is None:
        return None
    return LogFile(settings.log_file, settings.log_file_mb * 10**6, settings.log_files)
