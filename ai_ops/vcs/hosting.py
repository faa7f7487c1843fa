"""What GitHub and GitLab share: hidden marks in comments, CI added up, answers kept a while."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

from ai_ops.flow.pull_request import Check, Checks, CheckState

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MOST_LOG = 64 * 1024  # bytes of a check's log
MOST_SUMMARY = 2000  # characters
_MOST_KEPT = 10_000
_MARK = "<!-- ai-ops "


def marked(body: str, marker: str) -> str:
    """Return a comment's text with its marker hidden below it."""
    return f"{body.rstrip()}\n\n{mark_of(marker)}"


def mark_of(marker: str) -> str:
    """Return what hides in a comment. A digest: whatever a marker is made of, it stays hidden."""
    return f"{_MARK}{hashlib.sha256(marker.encode()).hexdigest()[:32]} -->"


def is_ours(author: str, body: str, own_login: str) -> bool:
    """Say whether we wrote a comment.

    Both must be so: a token may be a person's, who writes with the same account; and anybody can copy a
    mark.
    """
    return author.lower() == own_login.lower() and _MARK in body


def added_up(runs: Iterable[Check]) -> Checks:
    """Return what checks say together: one that failed counts for all, then one that is not done."""
    all_runs = tuple(runs)
    states = {run.state for run in all_runs}
    for state in (CheckState.FAILED, CheckState.PENDING, CheckState.PASSED):
        if state in states:
            return Checks(state, all_runs)
    return Checks(CheckState.NONE, all_runs)


def tail(log: bytes | str) -> str:
    """Return the end of a log as text, from the beginning of a line where it was cut."""
    data = log.encode() if isinstance(log, str) else log
    cut = data[-MOST_LOG:]
    if len(cut) < len(data):
        cut = cut[cut.find(b"\n") + 1 :]
    # A broken character becomes three bytes; what is kept stays below the limit all the same.
    return cut.decode(errors="replace").encode()[-MOST_LOG:].decode(errors="ignore")


class Remembered(Generic[K, V]):
    """Keeps answers for a while, so that a host is not asked the same thing for every comment.

    Threads may share it. ``now`` gives seconds of a clock that only goes forward.
    """

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._now = now
        self._kept: dict[K, tuple[float, V]] = {}
        self._lock = threading.Lock()

    def get(self, key: K, ask: Callable[[], V]) -> V:
        """Return the answer to ``key``: a kept one that is young enough, or what ``ask`` returns now."""
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None and self._now() - kept[0] < self._seconds:
            return kept[1]
        answer = ask()
        with self._lock:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = (self._now(), answer)
        return answer
