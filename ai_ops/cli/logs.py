"""The server's log: structured lines on stderr, for people or as JSON, with secrets taken out."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from typing import Any

import structlog

from ai_ops.config_places import Problem, likely
from ai_ops.core.redaction import Redactor
from ai_ops.core.wording import one_line

log = logging.getLogger(__name__)

_LONGEST_MESSAGE = 16_384


def configure(log_format: str, redactor: Redactor) -> None:
    """Send all logging of this process to stderr in one shape."""

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
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("watchdog").setLevel(logging.CRITICAL)  # its hints may fail, polling goes on


def warn_of(problems: Iterable[Problem]) -> None:
    """Say what a server starts on and was hardly meant."""
    for problem in problems:
        log.warning("%s", problem)


def warn_of_idle(idle: Iterable[Problem]) -> None:
    """Say once what in the settings' files has no effect and was probably meant for us."""
    if found := likely(idle):
        log.warning("settings without effect: %s", " ".join(map(str, found)))
