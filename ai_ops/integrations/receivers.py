"""What the ways of telling people share."""

from __future__ import annotations

from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError


def receiver_unknown(recipient: str) -> AiOpsError:
    """Return the failure of a webhook or channel that is no longer configured."""
    return failed("receiver_unknown", f"{recipient} is not configured")
