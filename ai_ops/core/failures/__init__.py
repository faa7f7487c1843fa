"""The catalogue: every failure there is, with what is done about it. Who meets one names it by its code.

``failed`` makes the error of a code, so nobody repeats whether it may pass, or what a person can do. A
new failure is a row in the ``of_…`` module of its subject; the documentation's table is made from these.
"""

from __future__ import annotations

from typing import Final

from ai_ops.core.failures import (
    of_address,
    of_agent,
    of_git,
    of_guarding,
    of_host,
    of_machine,
    of_model,
    of_network,
    of_project,
    of_storage,
    of_task,
    of_telling,
)
from ai_ops.core.failures.row import Failure, Kind, Recovery
from ai_ops.errors import AiOpsError, PermanentError, TemporaryError
from ai_ops.flow.health import Severity

__all__ = [
    "CATALOGUE",
    "MODEL_CODES",
    "SECTIONS",
    "Failure",
    "Kind",
    "Recovery",
    "alert_of",
    "codes_with",
    "failed",
]

SECTIONS: Final = {
    "The model": of_model.ROWS,
    "The network": of_network.ROWS,
    "The repository and its tests": of_project.ROWS,
    "Addresses": of_address.ROWS,
    "Git": of_git.ROWS,
    "The code host": of_host.ROWS,
    "Sandbox, workspace, disk, workers": of_machine.ROWS,
    "Storage and start": of_storage.ROWS,
    "Tasks, issues, schedules": of_task.ROWS,
    "Guarding": of_guarding.ROWS,
    "Mail, webhooks and channels": of_telling.ROWS,
    "Agent": of_agent.ROWS,
}
"""The rows by the subject they belong to, in the order of the documentation."""

CATALOGUE: Final = {row.code: row for section in SECTIONS.values() for row in section}
"""Every failure, by its code."""

MODEL_CODES: Final = frozenset(row.code for row in of_model.ROWS)
"""What a call to the model may fail with."""


def codes_with(*recoveries: Recovery) -> frozenset[str]:
    """Return the codes of all failures that one of these is done about."""
    return frozenset(row.code for row in CATALOGUE.values() if row.recovery in recoveries)


def alert_of(code: str) -> Severity:
    """Return how soon a person is wanted for a failure; ``P3`` for a code from elsewhere."""
    row = CATALOGUE.get(code)
    return Severity.P3 if row is None else row.alert


def failed(
    code: str, message: str = "", *, next_step: str | None = None, delay: float | None = None
) -> AiOpsError:
    """Return the error of a failure that was met.

    Args:
        code: of the catalogue.
        message: what happened, for people; empty: the catalogue's words.
        next_step: what a person can do, where the place knows it better than the catalogue.
        delay: seconds until it is tried again, where the other side said so.
    """
    row = CATALOGUE[code]
    message = message or row.words
    next_step = row.next_step if next_step is None else next_step
    if row.temporary:
        return TemporaryError(code, message, next_step=next_step, delay=row.delay if delay is None else delay)
    return PermanentError(code, message, next_step=next_step)
