"""What several nouns hold, as JSON: times and proofs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from ai_ops.flow.task import Proof


def moment(value: datetime | None) -> str | None:
    """Return a time as RFC 3339 in UTC."""
    return value.isoformat().replace("+00:00", "Z") if value else None


def proof(value: Proof) -> dict[str, Any]:
    """Return ``{verdict, reasons: [{rule, place, text}]}``; the guard's findings have a ``severity`` too."""
    reasons = [asdict(reason) for reason in value.reasons]
    shown = [{key: each for key, each in reason.items() if key != "severity" or each} for reason in reasons]
    return {"verdict": value.verdict, "reasons": shown}
