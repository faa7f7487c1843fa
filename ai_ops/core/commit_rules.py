"""How our commits are signed: who stands as their author, and which trailers follow their message."""

from __future__ import annotations

import re
from dataclasses import dataclass

AUTHOR_NAME = "AI-Ops"
AUTHOR_EMAIL = "ai-ops@users.noreply.invalid"

_PERSON = re.compile(r"[^<>\x00-\x1f\x7f]*[^<>\s\x00-\x1f\x7f] <[^<>@\s]+@[^<>@\s]+>")


@dataclass(frozen=True, slots=True)
class CommitRules:
    """What the operator wants of our commits. ``co_author`` is ``Name <address>``, empty for none."""

    author_name: str = AUTHOR_NAME
    author_email: str = AUTHOR_EMAIL
    sign_off: bool = False
    co_author: str = ""

    @property
    def trailers(self) -> tuple[str, ...]:
        """The trailers of each of our commits, after the one that names its run."""
        signed = f"Signed-off-by: {self.author_name} <{self.author_email}>" if self.sign_off else ""
        together = f"Co-authored-by: {self.co_author}" if self.co_author else ""
        return tuple(trailer for trailer in (together, signed) if trailer)


def is_person(text: str) -> bool:
    """Whether a text names a person as git does: ``Name <address>``, on one line."""
    return _PERSON.fullmatch(text) is not None
