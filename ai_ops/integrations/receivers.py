"""What the ways of telling people share."""

from __future__ import annotations

from ai_ops.errors import PermanentError


def receiver_unknown(recipient: str) -> PermanentError:
    """Return the failure of a webhook or channel that is no longer configured."""
    return PermanentError(
        "receiver_unknown",
        f"{recipient} is not configured",
        next_step="Configure it again, then: ai-ops notification retry.",
    )
