"""Which verdicts may be published: one rule, for a run by itself and for a person's approval."""

from __future__ import annotations

from ai_ops.flow.task import Verdict


def publishable(verdict: Verdict | None, *, require_proof: bool) -> bool:
    """Whether a change of this verdict may be published; ``refuted`` and ``blocked`` never, whoever asks."""
    return verdict is Verdict.PROVED or (verdict is Verdict.UNPROVED and not require_proof)
