"""Whether a pull request is opened as a draft, and whether it is made ready by itself later."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ai_ops.flow.task import Verdict


class Draft(StrEnum):
    """What a repository asks for."""

    NEVER = "never"
    ALWAYS = "always"
    UNTIL_GREEN = "until_green"


@dataclass(frozen=True, slots=True)
class Drafting:
    """``draft``: it is opened as one. ``ready_when_green``: it is made ready, once, when CI passes."""

    draft: bool
    ready_when_green: bool


def drafting(verdict: Verdict | None, asked: Draft | None, *, until_green: bool) -> Drafting:
    """Return how a change is opened. What is not proved is a draft that only a person makes ready.

    Args:
        verdict: what was proved.
        asked: the repository's word, which comes first.
        until_green: the server's (``DRAFT_UNTIL_GREEN``).
    """
    if verdict is not Verdict.PROVED:
        return Drafting(True, False)
    asked = asked or (Draft.UNTIL_GREEN if until_green else Draft.NEVER)
    return Drafting(asked is not Draft.NEVER, asked is Draft.UNTIL_GREEN)
