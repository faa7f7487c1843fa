"""What a ``ProcessLane`` and its process say to each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ai_ops.errors import PermanentError, TemporaryError


@dataclass(frozen=True, slots=True)
class Order:
    """What the process is for: ``work(connection, *arguments)`` in the database at ``url``.

    It ends when nothing came for ``idle_seconds``.
    """

    url: str
    work: Callable[..., Any]
    idle_seconds: float


@dataclass(frozen=True, slots=True)
class Done:
    """The transaction is committed."""

    result: Any

    def unwrap(self) -> Any:
        """Return what the work returned."""
        return self.result


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was written, for a reason that has a name."""

    passing: bool
    failure: dict[str, str]
    delay: float | None

    def unwrap(self) -> Any:
        """Raise the failure."""
        code, message = self.failure["code"], self.failure["message"]
        if self.passing:
            raise TemporaryError(code, message, next_step=self.failure["next_step"], delay=self.delay)
        raise PermanentError(code, message, next_step=self.failure["next_step"])


@dataclass(frozen=True, slots=True)
class Broken:
    """Nothing was written: the work has a fault. ``trace`` says where."""

    trace: str

    def unwrap(self) -> Any:
        """Raise what there is of it here."""
        raise RuntimeError(self.trace)


Answer = Done | Refused | Broken
