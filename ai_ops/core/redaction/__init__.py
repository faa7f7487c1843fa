"""Text to text without secrets and personal data. Pure and in linear time: agent and server use it.

A secret becomes ``***`` and, when it is long enough not to give it away, its last four characters.
Redacting twice changes nothing, so every sink may do it again.
"""

from __future__ import annotations

from ai_ops.core.redaction.redactor import Redactor, redact

__all__ = ["Redactor", "redact"]
