"""What is known of a kind of failure, wherever it happens: one row of the catalogue.

Whether a failure may pass follows from what is done about it, so the two cannot contradict each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ai_ops.flow.health import Severity

P1, P2, P3 = Severity.P1, Severity.P2, Severity.P3


class Kind(StrEnum):
    """What it is that failed."""

    SERVICE = "service"
    NETWORK = "network"
    DNS = "DNS"
    PROXY = "proxy"
    TLS = "TLS"
    DISK = "disk"
    INODE = "inode"
    MEMORY = "memory"
    PERMISSION = "permission"
    LOCK = "file lock"
    PROCESS = "process"
    GIT = "git"
    HOST = "host"
    MAIL = "mail"
    CHANNEL = "channel"
    DATABASE = "database"
    INPUT = "input"
    SECURITY = "security"


class Recovery(StrEnum):
    """What is done about a failure by itself, in the words of the documentation."""

    AGAIN = "tried again"
    OUTAGE = "waited out"
    RESET = "the queue waits for the reset, then one task probes"
    PAUSE = "the queue waits, then one task probes"
    MONEY = "waits for the next hour or day"
    KEPT = "kept, and sent again"
    LATER = "refused for now; whoever asked comes again"
    ANEW = "made anew"
    PERSON = "left to a person"
    REFUSED = "refused; nothing was changed"
    ENDS = "the program ends"

    @property
    def temporary(self) -> bool:
        """Whether the failure may pass by itself."""
        return self in _PASSING


_PASSING = frozenset(
    {
        Recovery.AGAIN,
        Recovery.OUTAGE,
        Recovery.RESET,
        Recovery.PAUSE,
        Recovery.MONEY,
        Recovery.KEPT,
        Recovery.LATER,
    }
)


@dataclass(frozen=True, slots=True)
class Failure:
    """One kind of failure.

    Args:
        code: its stable name.
        kind: what failed.
        recovery: what is done about it by itself.
        alert: how soon a person is wanted who would mend it.
        words: what happened, for people, where who meets it knows no better words.
        next_step: what a person can do about it; empty when nothing helps or the meeting place knows more.
        delay: seconds to the next try, where the other side names none; None: by the retry rule.
    """

    code: str
    kind: Kind
    recovery: Recovery
    alert: Severity
    words: str
    next_step: str = ""
    delay: float | None = None

    @property
    def temporary(self) -> bool:
        """Whether it may pass by itself."""
        return self.recovery.temporary


def rows(
    kind: Kind,
    recovery: Recovery,
    alert: Severity,
    words: Mapping[str, tuple[str, str]],
    *,
    delay: float | None = None,
) -> Iterator[Failure]:
    """Return the rows of failures that are alike but for their words: code → (words, next step)."""
    for code, (said, next_step) in words.items():
        yield Failure(code, kind, recovery, alert, said, next_step, delay)
