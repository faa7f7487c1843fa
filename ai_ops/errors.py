"""The two families of failure: one may pass by itself, the other needs a person.

Every failure has a stable ``code`` that programs may rely on, words for people, and a next step.
Vendor exceptions are turned into these at their adapter and go no further.
"""

from __future__ import annotations


class AiOpsError(Exception):
    """A named failure.

    Args:
        code: stable snake_case name, for example ``push_refused``.
        message: what happened, for people, without secrets.
        next_step: what a person can do about it; empty when nothing helps.
    """

    def __init__(self, code: str, message: str, *, next_step: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.next_step = next_step
        self.cost_usd = 0.0
        """What a model call had cost when it failed, in US dollars; its fixer fills it in."""
        self.session: object = None
        """The conversation as far as it came, where its fixer keeps one; it can be gone on with."""

    def as_dict(self) -> dict[str, str]:
        """Return the failure as it stands on tasks, steps and answers."""
        return {"code": self.code, "message": self.message, "next_step": self.next_step}


class TemporaryError(AiOpsError):
    """A failure that may pass by itself.

    Args:
        delay: seconds to wait before the next try, when the other side said so; ``None`` leaves
            it to the retry rule.
    """

    def __init__(self, code: str, message: str, *, next_step: str = "", delay: float | None = None) -> None:
        super().__init__(code, message, next_step=next_step)
        self.delay = delay


class PermanentError(AiOpsError):
    """A failure that trying again does not mend."""
